/// Operations entry by entry.
#pragma once

#include <cmath>

#include "recsys/tape/operand.hpp"

namespace polder::recsys {

/// Y = f(X).     dX += dY f'(X)
/// f(x) and slope(x, y) = f'(x), y = f(x), are functions of one entry.
template <class B, class F, class Slope>
Value<B> apply(Value<B> x, F f, Slope slope) {
    using T = typename B::Scalar;
    detail::check_present("function", {x});
    auto& tape = x.tape();
    auto const y = tape.make({x}, x.rows(), x.cols());
    tape.backend().map([f] POLDER_IN_KERNEL(T & out, T in) { out = f(in); }, y.result(), x.value());
    return tape.on_backward(y, [x, y, slope] {
        detail::add_gradient(
            x, [slope] POLDER_IN_KERNEL(T & dx, T dy, T in, T out) { dx += dy * slope(in, out); },
            y.gradient(), x.value(), y.value());
    });
}

/// Y = X where X > 0, else slope X.     dX += dY where X > 0, else slope dY
template <class B>
Value<B> leaky_relu(Value<B> x, typename B::Scalar slope = typename B::Scalar(0.01)) {
    using T = typename B::Scalar;
    return apply(
        x, [slope] POLDER_IN_KERNEL(T in) { return in > T(0) ? in : slope * in; },
        [slope] POLDER_IN_KERNEL(T in, T) { return in > T(0) ? T(1) : slope; });
}

/// Y = max(X, 0).     dX += dY where X > 0
template <class B>
Value<B> relu(Value<B> x) {
    using T = typename B::Scalar;
    return leaky_relu(x, T(0));
}

/// Y = 1 / (1 + exp(-X)).     dX += dY Y (1 - Y)
template <class B>
Value<B> sigmoid(Value<B> x) {
    using T = typename B::Scalar;
    return apply(
        x, [] POLDER_IN_KERNEL(T in) { return T(1) / (T(1) + std::exp(-in)); },
        [] POLDER_IN_KERNEL(T, T out) { return out * (T(1) - out); });
}

/// Y = |X|.     dX += dY sign(X), sign(0) = 0
template <class B>
Value<B> absolute(Value<B> x) {
    using T = typename B::Scalar;
    return apply(
        x, [] POLDER_IN_KERNEL(T in) { return std::abs(in); },
        [] POLDER_IN_KERNEL(T in, T) {
            return static_cast<T>(in > T(0)) - static_cast<T>(in < T(0));
        });
}

/// Y = 1 / sqrt(X) where X > 0, else 0.     dX -= dY Y^3 / 2
template <class B>
Value<B> inverse_square_root(Value<B> x) {
    using T = typename B::Scalar;
    return apply(
        x, [] POLDER_IN_KERNEL(T in) { return in > T(0) ? T(1) / std::sqrt(in) : T(0); },
        [] POLDER_IN_KERNEL(T, T out) { return T(-0.5) * out * out * out; });
}

/// Y = w X.     dX += w dY
template <class B>
Value<B> operator*(typename B::Scalar weight, Value<B> x) {
    using T = typename B::Scalar;
    return apply(
        x, [weight] POLDER_IN_KERNEL(T in) { return weight * in; },
        [weight] POLDER_IN_KERNEL(T, T) { return weight; });
}

/// Y = w - X.     dX -= dY
template <class B>
Value<B> operator-(typename B::Scalar w, Value<B> x) {
    using T = typename B::Scalar;
    return apply(
        x, [w] POLDER_IN_KERNEL(T in) { return w - in; },
        [] POLDER_IN_KERNEL(T, T) { return T(-1); });
}

namespace detail {

// Y = A + w C
template <class B>
Value<B> add(Value<B> a, Value<B> c, typename B::Scalar w) {
    using T = typename B::Scalar;
    check_equal("sum", a, c);
    auto& tape = a.tape();
    auto const y = tape.make({a, c}, a.rows(), a.cols());
    tape.backend().map([w] POLDER_IN_KERNEL(T & out, T ai, T ci) { out = ai + w * ci; }, y.result(),
                       a.value(), c.value());
    return tape.on_backward(y, [a, c, y, w] {
        add_gradient(
            a, [] POLDER_IN_KERNEL(T & da, T dy) { da += dy; }, y.gradient());
        add_gradient(
            c, [w] POLDER_IN_KERNEL(T & dc, T dy) { dc += w * dy; }, y.gradient());
    });
}

}  // namespace detail

/// Y = A + C.     dA += dY,  dC += dY
template <class B>
Value<B> operator+(Value<B> a, Value<B> c) {
    return detail::add(a, c, typename B::Scalar(1));
}

/// Y = A - C.     dA += dY,  dC -= dY
template <class B>
Value<B> operator-(Value<B> a, Value<B> c) {
    return detail::add(a, c, typename B::Scalar(-1));
}

/// Y_bj = A_bj C_bj.     dA += dY C,  dC += dY A
template <class B>
Value<B> hadamard(Value<B> a, Value<B> c) {
    using T = typename B::Scalar;
    detail::check_equal("entry-wise product", a, c);
    auto& tape = a.tape();
    auto const y = tape.make({a, c}, a.rows(), a.cols());
    tape.backend().map([] POLDER_IN_KERNEL(T & out, T ai, T ci) { out = ai * ci; }, y.result(),
                       a.value(), c.value());
    return tape.on_backward(y, [a, c, y] {
        auto const step = [] POLDER_IN_KERNEL(T & d, T dy, T other) { d += dy * other; };
        detail::add_gradient(a, step, y.gradient(), c.value());
        detail::add_gradient(c, step, y.gradient(), a.value());
    });
}

/// Y_bj = max(A_bj, C_bj).     dA += dY where A >= C,  dC += dY elsewhere
template <class B>
Value<B> maximum(Value<B> a, Value<B> c) {
    using T = typename B::Scalar;
    detail::check_equal("maximum", a, c);
    auto& tape = a.tape();
    auto const y = tape.make({a, c}, a.rows(), a.cols());
    tape.backend().map([] POLDER_IN_KERNEL(T & out, T ai, T ci) { out = ai >= ci ? ai : ci; },
                       y.result(), a.value(), c.value());
    return tape.on_backward(y, [a, c, y] {
        detail::add_gradient(
            a, [] POLDER_IN_KERNEL(T & da, T dy, T ai, T ci) { da += ai >= ci ? dy : T(0); },
            y.gradient(), a.value(), c.value());
        detail::add_gradient(
            c, [] POLDER_IN_KERNEL(T & dc, T dy, T ai, T ci) { dc += ai >= ci ? T(0) : dy; },
            y.gradient(), a.value(), c.value());
    });
}

/// Y_bj = X_bj + sign(X_bj) C_bj for a constant C, sign(0) = 0.     dX += dY
template <class B>
Value<B> add_signed(Value<B> x, Value<B> c) {
    using T = typename B::Scalar;
    detail::check_equal("addition with signs", x, c);
    auto& tape = x.tape();
    auto const y = tape.make({x}, x.rows(), x.cols());
    tape.backend().map(
        [] POLDER_IN_KERNEL(T & out, T in, T ci) {
            out = in + (static_cast<T>(in > T(0)) - static_cast<T>(in < T(0))) * ci;
        },
        y.result(), x.value(), c.value());
    return tape.on_backward(y, [x, y] {
        detail::add_gradient(
            x, [] POLDER_IN_KERNEL(T & dx, T dy) { dx += dy; }, y.gradient());
    });
}

/// Y_bj = w_b X_bj for a column w (rows x 1).     dX_bj += w_b dY_bj,  dw_b += sum_j dY_bj X_bj
template <class B>
Value<B> scale_rows(Value<B> w, Value<B> x) {
    using T = typename B::Scalar;
    detail::check_shapes(w.rows() == x.rows() && w.cols() == 1, "row scaling", w, x,
                         "a column with as many rows");
    auto& tape = x.tape();
    auto const y = tape.make({w, x}, x.rows(), x.cols());
    tape.backend().map([] POLDER_IN_KERNEL(T & out, T wb, T in) { out = wb * in; }, y.result(),
                       per_row(w.value()), x.value());
    return tape.on_backward(y, [w, x, y] {
        detail::add_gradient(
            x, [] POLDER_IN_KERNEL(T & dx, T wb, T dy) { dx += wb * dy; }, per_row(w.value()),
            y.gradient());
        if (w.is_variable())
            y.tape().backend().add_row_sum([] POLDER_IN_KERNEL(T dy, T in) { return dy * in; },
                                           w.gradient_sum(), y.gradient(), x.value());
    });
}

/// Y = s X for a scalar s on the tape.     dX += s dY,  ds += sum_bj dY_bj X_bj
template <class B>
Value<B> scale(Value<B> s, Value<B> x) {
    using T = typename B::Scalar;
    detail::check_shapes(s.rows() == 1 && s.cols() == 1, "scaling", s, x, "a scalar first");
    auto& tape = x.tape();
    auto const y = tape.make({s, x}, x.rows(), x.cols());
    tape.backend().map([] POLDER_IN_KERNEL(T & out, T factor, T in) { out = factor * in; },
                       y.result(), single(s.value()), x.value());
    return tape.on_backward(y, [s, x, y] {
        detail::add_gradient(
            x, [] POLDER_IN_KERNEL(T & dx, T factor, T dy) { dx += factor * dy; },
            single(s.value()), y.gradient());
        if (s.is_variable())
            y.tape().backend().add_sum([] POLDER_IN_KERNEL(T dy, T in) { return dy * in; },
                                       s.gradient_sum(), y.gradient(), x.value());
    });
}

/// The value of X without a way back: dX gets nothing.
template <class B>
Value<B> stop_gradient(Value<B> x) {
    return x.tape().constant(x.value());
}

}  // namespace polder::recsys
