/// The operations of the tape, each with its derivative: `value` first, then what `backward` adds to
/// the gradients of the operands. In comments dX is dL/dX; indices: b rows, j columns.
///
/// An operation is scalar mathematics; the loops (map, row_sum, sum, gather, scatter_add, multiply)
/// are the back end's.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/tape/broadcast.hpp"
#include "recsys/tape/rows.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

namespace detail {

template <class B>
std::string shape(Value<B> x) {
    return std::to_string(x.rows()) + " x " + std::to_string(x.cols());
}

// Operands of one shape with every row computed: only mean and gather do with some of the rows.
template <class B>
void check_operands(std::string_view operation, std::initializer_list<Value<B>> operands) {
    for (const auto x : operands) {
        const auto first = *operands.begin();
        if (x.rows() != first.rows() || x.cols() != first.cols())
            throw std::invalid_argument("tape: " + std::string(operation) + " of " + shape(first) +
                                        " and " + shape(x) + ", expected equal shapes");
        if (!x.present().is_all())
            throw std::invalid_argument("tape: " + std::string(operation) + " of " + shape(x) +
                                        ", of which some rows were not computed");
    }
}

}  // namespace detail

/// Y = A X for a sparse A, in the rows `rows` only.       dX += A^T dY
/// `transposed` is A^T; both stay where they are until `backward`. Rows of dY known to be 0 cost
/// nothing.
template <class B>
Value<B> propagate(typename B::Sparse const& a, typename B::Sparse const& transposed, Value<B> x,
                   Rows rows = Rows::all()) {
    detail::check_operands("propagate", {x});
    if (a.cols != x.rows())
        throw std::invalid_argument("tape: propagate of " + detail::shape(x) + ", expected " +
                                    std::to_string(a.cols) + " rows");
    auto& tape = x.tape();
    const auto y = tape.make(a.rows, x.cols(), rows);
    tape.backend().multiply(a, x.value(), Rows::all(), y.result(), rows, Rows::none());
    return tape.on_backward(y, [x, y, &transposed] {
        const Rows sources = y.gradient_rows();
        const auto dy = y.gradient(sources);
        const auto [dx, held] = x.gradient_target();
        x.tape().backend().multiply(transposed, dy, sources, dx, Rows::all(), held);
    });
}

/// Y = mean of X_0 .. X_n-1, in the rows `rows` only.     dX_k += dY / n
/// Every X_k was computed in these rows.
template <class B>
Value<B> mean(std::vector<Value<B>> const& xs, Rows rows = Rows::all()) {
    using T = typename B::Scalar;
    auto& tape = xs.front().tape();
    auto& backend = tape.backend();
    const T share = T(1) / static_cast<T>(xs.size());
    const auto y = tape.make(xs.front().rows(), xs.front().cols(), rows);
    tape.keep(y, xs);
    backend.fill(y.result(), rows, T(0));
    for (const auto x : y.operands()) {
        if (x.rows() != y.rows() || x.cols() != y.cols() ||
            !(x.present().is_all() || x.present() == rows))
            throw std::invalid_argument("tape: mean of values of different shapes or rows");
        backend.map_rows(
            rows, [share](T& out, T in) { out += share * in; }, y.result(), x.value());
    }
    return tape.on_backward(y, [y, share] {
        const Rows sources = y.gradient_rows();
        for (const auto x : y.operands())
            y.tape().backend().map_rows(
                sources, [share](T& dx, T dy) { dx += share * dy; }, x.gradient_sum(sources),
                y.gradient(sources));
    });
}

/// Y_b = X_index(b).     dX_index(b) += dY_b, in the order of b
/// Every index is a row present in X; `index` stays where it is until `backward`.
template <class B>
Value<B> gather(Value<B> x, std::span<std::int32_t const> index) {
    auto& tape = x.tape();
    const auto y = tape.make(index.size(), x.cols());
    tape.backend().gather(x.value(), index, y.result());
    return tape.on_backward(y, [x, y, index] {
        x.tape().backend().scatter_add(y.gradient(), index, x.gradient_sum());
    });
}

/// y_b = sum_j A_bj C_bj.     dA_bj += dy_b C_bj,  dC_bj += dy_b A_bj
template <class B>
Value<B> row_dot(Value<B> a, Value<B> c) {
    using T = typename B::Scalar;
    detail::check_operands("row_dot", {a, c});
    auto& tape = a.tape();
    const auto y = tape.make(a.rows(), 1);
    tape.backend().row_sum([](T ai, T ci) { return ai * ci; }, y.result(), a.value(), c.value());
    return tape.on_backward(y, [a, c, y] {
        const auto step = [](T& d, T dy, T other) { d += dy * other; };
        auto& backend = y.tape().backend();
        backend.map(step, a.gradient_sum(), per_row(y.gradient()), c.value());
        backend.map(step, c.gradient_sum(), per_row(y.gradient()), a.value());
    });
}

/// Bayesian personalised ranking with a guard inside the logarithm, scores p of positive and n of
/// negative items, s = 1 / (1 + exp(n - p)):
///     L = -(1/B) sum_b log(1e-10 + s_b)
///     dp_b += -(1/B) s_b (1 - s_b) / (1e-10 + s_b) dL,     dn_b += the same with the sign changed
/// Rendle et al., BPR, 2009; the guard is MMRec's: at p - n << -23 the loss is 23.03 and flat.
template <class B>
Value<B> bpr_loss(Value<B> positive, Value<B> negative) {
    using T = typename B::Scalar;
    detail::check_operands("bpr_loss", {positive, negative});
    auto& tape = positive.tape();
    const T share = T(1) / static_cast<T>(positive.rows());
    constexpr T guard = T(1e-10);
    const auto y = tape.make(1, 1);
    tape.backend().sum(
        [share](T p, T n) { return -share * std::log(guard + T(1) / (T(1) + std::exp(n - p))); },
        y.result(), positive.value(), negative.value());
    return tape.on_backward(y, [positive, negative, y, share] {
        y.tape().backend().map(
            [share](T& dp, T& dn, T dy, T p, T n) {
                const T s = T(1) / (T(1) + std::exp(n - p));
                const T slope = dy * share * s * (T(1) - s) / (guard + s);
                dp -= slope;
                dn += slope;
            },
            positive.gradient_sum(), negative.gradient_sum(), single(y.gradient()),
            positive.value(), negative.value());
    });
}

/// y = sqrt(sum_bj X_bj^2).     dX += dy X / y, and nothing where y = 0
template <class B>
Value<B> frobenius_norm(Value<B> x) {
    using T = typename B::Scalar;
    detail::check_operands("frobenius_norm", {x});
    auto& tape = x.tape();
    const auto y = tape.make(1, 1);
    tape.backend().sum([](T xi) { return xi * xi; }, y.result(), x.value());
    tape.backend().map([](T& out) { out = std::sqrt(out); }, y.result());
    return tape.on_backward(y, [x, y] {
        x.tape().backend().map(
            [](T& dx, T dy, T xi, T norm) { dx += norm > T(0) ? dy * xi / norm : T(0); },
            x.gradient_sum(), single(y.gradient()), x.value(), single(y.value()));
    });
}

/// Y = A + C.     dA += dY,  dC += dY
template <class B>
Value<B> operator+(Value<B> a, Value<B> c) {
    using T = typename B::Scalar;
    detail::check_operands("sum", {a, c});
    auto& tape = a.tape();
    const auto y = tape.make(a.rows(), a.cols());
    tape.backend().map([](T& out, T ai, T ci) { out = ai + ci; }, y.result(), a.value(), c.value());
    return tape.on_backward(y, [a, c, y] {
        const auto step = [](T& d, T dy) { d += dy; };
        y.tape().backend().map(step, a.gradient_sum(), y.gradient());
        y.tape().backend().map(step, c.gradient_sum(), y.gradient());
    });
}

/// Y = w X.     dX += w dY
template <class B>
Value<B> operator*(typename B::Scalar weight, Value<B> x) {
    using T = typename B::Scalar;
    detail::check_operands("product", {x});
    auto& tape = x.tape();
    const auto y = tape.make(x.rows(), x.cols());
    tape.backend().map([weight](T& out, T xi) { out = weight * xi; }, y.result(), x.value());
    return tape.on_backward(y, [x, y, weight] {
        y.tape().backend().map([weight](T& dx, T dy) { dx += weight * dy; }, x.gradient_sum(),
                               y.gradient());
    });
}

}  // namespace polder::recsys
