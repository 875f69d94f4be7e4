/// Scalars made of a matrix, and vectors made of its rows.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <stdexcept>

#include <polder/config.hpp>

#include "recsys/tape/operand.hpp"
#include "recsys/tape/profile.hpp"

namespace polder::recsys {

/// y = w sum_bj f(X_bj).     dX_bj += dy w slope(X_bj),  slope = f'
template <class B, class F, class Slope>
Value<B> weighted_sum_of(Value<B> x, typename B::Scalar w, F f, Slope slope) {
    using T = typename B::Scalar;
    detail::check_present("sum", {x});
    auto& tape = x.tape();
    auto const y = tape.make({x}, 1, 1);
    tape.backend().sum([w, f] POLDER_IN_KERNEL(T in) { return w * f(in); }, y.result(), x.value());
    return tape.on_backward(y, [x, y, w, slope] {
        detail::add_gradient(
            x, [w, slope] POLDER_IN_KERNEL(T & dx, T dy, T in) { dx += dy * w * slope(in); },
            single(y.gradient()), x.value());
    });
}

/// y = w sum_bj X_bj
template <class B>
Value<B> sum(Value<B> x, typename B::Scalar w = typename B::Scalar(1)) {
    using T = typename B::Scalar;
    return weighted_sum_of(
        x, w, [] POLDER_IN_KERNEL(T in) { return in; }, [] POLDER_IN_KERNEL(T) { return T(1); });
}

/// y = mean over all entries of X
template <class B>
Value<B> mean_of(Value<B> x) {
    using T = typename B::Scalar;
    return weighted_sum_of(
        x, T(1) / static_cast<T>(x.value().size()), [] POLDER_IN_KERNEL(T in) { return in; },
        [] POLDER_IN_KERNEL(T) { return T(1); });
}

/// y = sum_bj X_bj^2.     dX += 2 dy X
template <class B>
Value<B> sum_of_squares(Value<B> x) {
    using T = typename B::Scalar;
    return weighted_sum_of(
        x, T(1), [] POLDER_IN_KERNEL(T in) { return in * in; },
        [] POLDER_IN_KERNEL(T in) { return T(2) * in; });
}

/// y = mean over all entries of X_bj^2.
template <class B>
Value<B> mean_of_squares(Value<B> x) {
    using T = typename B::Scalar;
    return weighted_sum_of(
        x, T(1) / static_cast<T>(x.value().size()), [] POLDER_IN_KERNEL(T in) { return in * in; },
        [] POLDER_IN_KERNEL(T in) { return T(2) * in; });
}

/// y = sqrt(sum_bj X_bj^2).     dX += dy X / y, and nothing where y = 0
template <class B>
Value<B> frobenius_norm(Value<B> x) {
    using T = typename B::Scalar;
    detail::check_present("frobenius_norm", {x});
    auto& tape = x.tape();
    auto const y = tape.make({x}, 1, 1);
    tape.backend().sum([] POLDER_IN_KERNEL(T xi) { return xi * xi; }, y.result(), x.value());
    tape.backend().map([] POLDER_IN_KERNEL(T & out) { out = std::sqrt(out); }, y.result());
    return tape.on_backward(y, [x, y] {
        detail::add_gradient(
            x,
            [] POLDER_IN_KERNEL(T & dx, T dy, T xi, T norm) {
                dx += norm > T(0) ? dy * xi / norm : T(0);
            },
            single(y.gradient()), x.value(), single(y.value()));
    });
}

/// y = w sum_bj (X_bj - m)^2 about a scalar m.     dX_bj += 2 dy w (X_bj - m)
/// m counts as a constant: where it is the mean of all the matrices that such sums are added up of, its
/// part of the gradient is 0.
template <class B>
Value<B> sum_of_squares_about(Value<B> m, Value<B> x, typename B::Scalar w) {
    using T = typename B::Scalar;
    detail::check_shapes(m.rows() == 1 && m.cols() == 1, "sum of squares about a number", m, x,
                         "a scalar first");
    auto& tape = x.tape();
    auto const y = tape.make({x}, 1, 1);
    tape.backend().sum([w] POLDER_IN_KERNEL(T in, T mean) { return w * (in - mean) * (in - mean); },
                       y.result(), x.value(), single(m.value()));
    return tape.on_backward(y, [x, m, y, w] {
        detail::add_gradient(
            x,
            [w] POLDER_IN_KERNEL(T & dx, T dy, T in, T mean) { dx += T(2) * w * dy * (in - mean); },
            single(y.gradient()), x.value(), single(m.value()));
    });
}

/// The unbiased variance of all n entries: y = sum_bj (X_bj - m)^2 / (n - 1), m their mean (mean_of).
///     dX_bj += 2 dy (X_bj - m) / (n - 1)
template <class B>
Value<B> variance(Value<B> x, Value<B> m) {
    using T = typename B::Scalar;
    detail::check_shapes(x.value().size() > 1, "variance", x, m, "two entries or more");
    return sum_of_squares_about(m, x, T(1) / static_cast<T>(x.value().size() - 1));
}

/// y_b = sum_j A_bj C_bj.     dA_bj += dy_b C_bj,  dC_bj += dy_b A_bj
template <class B>
Value<B> row_dot(Value<B> a, Value<B> c) {
    using T = typename B::Scalar;
    detail::check_equal("row_dot", a, c);
    const TimedPart timed(Part::loss);
    auto& tape = a.tape();
    auto const y = tape.make({a, c}, a.rows(), 1);
    tape.backend().row_sum([] POLDER_IN_KERNEL(T ai, T ci) { return ai * ci; }, y.result(),
                           a.value(), c.value());
    return tape.on_backward(y, [a, c, y] {
        const TimedPart timed(Part::loss);
        auto const step = [] POLDER_IN_KERNEL(T & d, T dy, T other) { d += dy * other; };
        detail::add_gradient(a, step, per_row(y.gradient()), c.value());
        detail::add_gradient(c, step, per_row(y.gradient()), a.value());
    });
}

/// Y_b = X_b / max(|X_b|_2, floor).     dX_b += (dY_b - Y_b (Y_b . dY_b)) / |X_b|, or dY_b / floor at the floor
template <class B>
Value<B> normalise_rows(Value<B> x, typename B::Scalar floor = typename B::Scalar(1e-12)) {
    using T = typename B::Scalar;
    detail::check_present("normalisation", {x});
    auto& tape = x.tape();
    auto& backend = tape.backend();
    auto const norm = tape.scratch(x.rows(), 1);
    backend.row_sum([] POLDER_IN_KERNEL(T in) { return in * in; }, norm.result(), x.value());
    backend.map([] POLDER_IN_KERNEL(T & n) { n = std::sqrt(n); }, norm.result());
    auto const y = tape.make({x}, x.rows(), x.cols());
    backend.map(
        [floor] POLDER_IN_KERNEL(T & out, T in, T n) { out = in / (n > floor ? n : floor); },
        y.result(), x.value(), per_row(norm.value()));
    auto const along = tape.scratch(x.rows(), 1);
    return tape.on_backward(y, [x, y, norm, along, floor] {
        auto& to = y.tape().backend();
        to.row_sum([] POLDER_IN_KERNEL(T dy, T out) { return dy * out; }, along.result(),
                   y.gradient(), y.value());
        detail::add_gradient(
            x,
            [floor] POLDER_IN_KERNEL(T & dx, T dy, T out, T n, T dot) {
                dx += n > floor ? (dy - out * dot) / n : dy / floor;
            },
            y.gradient(), y.value(), per_row(norm.value()), per_row(along.value()));
    });
}

/// The mean cosine of the rows of two matrices: y = (1/B) sum_b X_b . Z_b / (max(|X_b|, floor) max(|Z_b|, floor))
template <class B>
Value<B> mean_cosine(Value<B> x, Value<B> z, typename B::Scalar floor = typename B::Scalar(1e-8)) {
    return mean_of(row_dot(normalise_rows(x, floor), normalise_rows(z, floor)));
}

/// y_b = 1 / max(|X_b|_2, floor), (rows x 1).     dX_b -= dy_b y_b^3 X_b, and nothing at the floor
template <class B>
Value<B> inverse_row_norms(Value<B> x, typename B::Scalar floor = typename B::Scalar(1e-12)) {
    using T = typename B::Scalar;
    detail::check_present("norms of rows", {x});
    auto& tape = x.tape();
    auto& backend = tape.backend();
    auto const y = tape.make({x}, x.rows(), 1);
    backend.row_sum([] POLDER_IN_KERNEL(T in) { return in * in; }, y.result(), x.value());
    backend.map(
        [floor] POLDER_IN_KERNEL(T & out) {
            const T norm = std::sqrt(out);
            out = T(1) / (norm > floor ? norm : floor);
        },
        y.result());
    return tape.on_backward(y, [x, y, floor] {
        detail::add_gradient(
            x,
            [floor] POLDER_IN_KERNEL(T & dx, T dy, T out, T in) {
                dx -= out < T(1) / floor ? dy * out * (out * in) * out : T(0);
            },
            per_row(y.gradient()), per_row(y.value()), x.value());
    });
}

namespace detail {

// Of a row of weight_by_cosine, the function of its entries.
template <class T>
struct CosineWeight {
    T floor;

    struct Map {
        T a;
        POLDER_HOST_DEVICE void operator()(T& out, T xi, T) const { out = a * xi; }
    };
    template <class Sum>
    POLDER_HOST_DEVICE Map operator()(Sum const& sum) const {
        const T n = std::sqrt(sum([](T, T xi, T) { return xi * xi; }));
        const T m = std::sqrt(sum([](T, T, T zi) { return zi * zi; }));
        return {sum([](T, T xi, T zi) { return xi * zi; }) /
                (std::max(n, floor) * std::max(m, floor))};
    }
};

// The same of its gradient.
template <class T>
struct CosineWeightGradient {
    T floor;

    struct Map {
        T a, s, w, along_x, along_z;
        POLDER_HOST_DEVICE void operator()(T& dx, T& dz, T dy, T xi, T zi) const {
            dx += a * dy + s * (w * zi - along_x * xi);
            dz += s * (w * xi - along_z * zi);
        }
    };
    template <class Sum>
    POLDER_HOST_DEVICE Map operator()(Sum const& sum) const {
        const T n = std::sqrt(sum([](T, T, T, T xi, T) { return xi * xi; }));
        const T m = std::sqrt(sum([](T, T, T, T, T zi) { return zi * zi; }));
        const T w = T(1) / (std::max(n, floor) * std::max(m, floor));
        const T a = w * sum([](T, T, T, T xi, T zi) { return xi * zi; });
        const T s = sum([](T, T, T dy, T xi, T) { return dy * xi; });
        return {a, s, w, n > floor ? a / (n * n) : T(0), m > floor ? a / (m * m) : T(0)};
    }
};

}  // namespace detail

/// Rows weighted by their cosine with those of Z: Y_b = a_b X_b, a_b = X_b . Z_b / (n_b m_b), where
/// n_b = max(|X_b|_2, floor), m_b = max(|Z_b|_2, floor). With s_b = X_b . dY_b:
///     dX_b += a_b dY_b + s_b (Z_b / (n_b m_b) - a_b X_b / n_b^2)
///     dZ_b += s_b (X_b / (n_b m_b) - a_b Z_b / m_b^2)
/// without the last term where a norm is at the floor. Rows of X that were not computed are not in Y either.
template <class B>
Value<B> weight_by_cosine(Value<B> x, Value<B> z,
                          typename B::Scalar floor = typename B::Scalar(1e-8)) {
    using T = typename B::Scalar;
    detail::check_present("weighting by cosines", {z});
    if (x.rows() != z.rows() || x.cols() != z.cols())
        throw std::invalid_argument("tape: weighting by cosines of " + detail::shape(x) + " and " +
                                    detail::shape(z) + ", expected equal shapes");
    auto& tape = x.tape();
    auto const y = tape.make({x, z}, x.rows(), x.cols(), x.present());
    tape.backend().map_rows_by_sums(x.present(), detail::CosineWeight<T>{floor}, y.result(),
                                    x.value(), z.value());
    return tape.on_backward(y, [x, z, y, floor] {
        const Rows rows = y.gradient_rows();
        y.tape().backend().map_rows_by_sums(rows, detail::CosineWeightGradient<T>{floor},
                                            x.gradient_sum(rows), z.gradient_sum(rows),
                                            y.gradient(rows), x.value(), z.value());
    });
}

/// Y_bj = exp(X_bj / t) / sum_k exp(X_bk / t).     dX_bj += Y_bj (dY_bj - Y_b . dY_b) / t
/// t: the temperature.
template <class B>
Value<B> softmax_rows(Value<B> x, typename B::Scalar temperature = typename B::Scalar(1)) {
    using T = typename B::Scalar;
    detail::check_present("softmax", {x});
    auto& tape = x.tape();
    auto& backend = tape.backend();
    auto const scratch = tape.scratch(x.rows(), 1);
    auto const y = tape.make({x}, x.rows(), x.cols());
    backend.row_max(scratch.result(), x.value());
    backend.map([temperature] POLDER_IN_KERNEL(
                    T & out, T in, T most) { out = std::exp((in - most) / temperature); },
                y.result(), x.value(), per_row(scratch.value()));
    backend.row_sum([] POLDER_IN_KERNEL(T out) { return out; }, scratch.result(), y.value());
    backend.map([] POLDER_IN_KERNEL(T & out, T total) { out /= total; }, y.result(),
                per_row(scratch.value()));
    return tape.on_backward(y, [x, y, scratch, temperature] {
        y.tape().backend().row_sum([] POLDER_IN_KERNEL(T dy, T out) { return dy * out; },
                                   scratch.result(), y.gradient(), y.value());
        detail::add_gradient(
            x,
            [temperature] POLDER_IN_KERNEL(T & dx, T dy, T out, T dot) {
                dx += out * (dy - dot) / temperature;
            },
            y.gradient(), y.value(), per_row(scratch.value()));
    });
}

}  // namespace polder::recsys
