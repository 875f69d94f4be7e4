/// Products with sparse matrices, and choices of rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "recsys/tape/operand.hpp"
#include "recsys/tape/rows.hpp"

namespace polder::recsys {

/// Y = A X for a sparse A, in the rows `rows` only.       dX += A^T dY
/// `transposed` is A^T; both stay where they are until `backward`. Rows of dY known to be 0 cost
/// nothing.
template <class B>
Value<B> propagate(typename B::Sparse const& a, typename B::Sparse const& transposed, Value<B> x,
                   Rows rows = Rows::all()) {
    detail::check_present("propagate", {x});
    if (a.cols != x.rows())
        throw std::invalid_argument("tape: propagate of " + detail::shape(x) + ", expected " +
                                    std::to_string(a.cols) + " rows");
    auto& tape = x.tape();
    auto const y = tape.make({x}, a.rows, x.cols(), rows);
    tape.backend().multiply(a, x.value(), Rows::all(), y.result(), rows, Rows::none());
    return tape.on_backward(y, [x, y, &transposed] {
        const Rows sources = y.gradient_rows();
        auto const dy = y.gradient(sources);
        auto const [dx, held] = x.gradient_target();
        x.tape().backend().multiply(transposed, dy, sources, dx, Rows::all(), held);
    });
}

namespace detail {

// Y = share (X_0 + X_1 + ...), in the rows `rows` only.
template <class B>
Value<B> add_up(std::span<Value<B> const> xs, typename B::Scalar share, Rows rows) {
    using T = typename B::Scalar;
    auto& tape = xs.front().tape();
    auto& backend = tape.backend();
    auto const y = tape.make(xs, xs.front().rows(), xs.front().cols(), rows);
    tape.keep(y, xs);
    backend.fill(y.result(), rows, T(0));
    for (auto const x : y.operands()) {
        if (x.rows() != y.rows() || x.cols() != y.cols() ||
            !(x.present().is_all() || x.present() == rows))
            throw std::invalid_argument("tape: sum of values of different shapes or rows");
        backend.map_rows(
            rows, [share] POLDER_IN_KERNEL(T & out, T in) { out += share * in; }, y.result(),
            x.value());
    }
    return tape.on_backward(y, [y, share] {
        const Rows sources = y.gradient_rows();
        for (auto const x : y.operands())
            if (x.is_variable())
                y.tape().backend().map_rows(
                    sources, [share] POLDER_IN_KERNEL(T & dx, T dy) { dx += share * dy; },
                    x.gradient_sum(sources), y.gradient(sources));
    });
}

}  // namespace detail

/// Y = X_0 + X_1 + ..., in the rows `rows` only.     dX_k += dY
/// Every X_k was computed in these rows.
template <class B>
Value<B> sum(std::initializer_list<Value<B>> xs, Rows rows = Rows::all()) {
    return detail::add_up(std::span<Value<B> const>(xs.begin(), xs.size()), typename B::Scalar(1),
                          rows);
}
template <class B>
Value<B> sum(std::vector<Value<B>> const& xs, Rows rows = Rows::all()) {
    return detail::add_up(std::span<Value<B> const>(xs), typename B::Scalar(1), rows);
}

/// Y = mean of X_0 .. X_n-1, in the rows `rows` only.     dX_k += dY / n
/// Every X_k was computed in these rows.
template <class B>
Value<B> mean(std::vector<Value<B>> const& xs, Rows rows = Rows::all()) {
    using T = typename B::Scalar;
    return detail::add_up(std::span<Value<B> const>(xs), T(1) / static_cast<T>(xs.size()), rows);
}

/// Y_b = X_index(b).     dX_index(b) += dY_b, in the order of b
/// Every index is a row present in X; `index` stays where it is until `backward`.
template <class B>
Value<B> gather(Value<B> x, std::span<std::int32_t const> index) {
    auto& tape = x.tape();
    auto const y = tape.make({x}, index.size(), x.cols());
    tape.backend().gather(x.value(), index, y.result());
    return tape.on_backward(y, [x, y, index] {
        x.tape().backend().scatter_add(y.gradient(), index, x.gradient_sum());
    });
}

/// Y_r = sum over the b with index(b) = r of X_b, in their order, (rows x cols).     dX_b += dY_index(b)
/// The transpose of `gather`; `index` has a row of Y for every row of X, and stays where it is until
/// `backward`.
template <class B>
Value<B> scatter(Value<B> x, std::span<std::int32_t const> index, std::size_t rows) {
    detail::check_present("scatter", {x});
    if (index.size() != x.rows())
        throw std::invalid_argument("tape: scatter of " + detail::shape(x) + " to " +
                                    std::to_string(index.size()) + " places");
    auto& tape = x.tape();
    auto const y = tape.make({x}, rows, x.cols());
    tape.backend().fill(y.result(), Rows::all(), typename B::Scalar(0));
    tape.backend().scatter_add(x.value(), index, y.result());
    return tape.on_backward(
        y, [x, y, index] { x.tape().backend().gather_add(y.gradient(), index, x.gradient_sum()); });
}

}  // namespace polder::recsys
