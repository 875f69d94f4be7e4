/// Products of dense matrices, layers, and matrices put together and taken apart.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <vector>

#include "recsys/tape/operand.hpp"

namespace polder::recsys {

namespace detail {

template <class T>
std::size_t rows_of(MatrixView<T> x, Form form) {
    return form == Form::plain ? x.rows : x.cols;
}
template <class T>
std::size_t cols_of(MatrixView<T> x, Form form) {
    return form == Form::plain ? x.cols : x.rows;
}
inline Form flip(Form form) { return form == Form::plain ? Form::transposed : Form::plain; }

// dX += op(A) op(C)
template <class B, class View>
void add_product(Value<B> x, View a, Form form_a, View c, Form form_c) {
    if (!x.is_variable()) return;
    auto& backend = x.tape().backend();
    if (x.gradient_rows().is_none() && x.present().is_all())
        backend.product(a, form_a, c, form_c, x.gradient_target().gradient, false);
    else
        backend.product(a, form_a, c, form_c, x.gradient_sum(), true);
}

}  // namespace detail

/// Y = op_a(A) op_c(C).     dop_a(A) += dY op_c(C)^T,  dop_c(C) += op_a(A)^T dY
template <class B>
Value<B> product(Value<B> a, Form form_a, Value<B> c, Form form_c) {
    using detail::cols_of;
    using detail::rows_of;
    detail::check_shapes(cols_of(a.value(), form_a) == rows_of(c.value(), form_c), "product", a, c,
                         "inner sizes that agree");
    auto& tape = a.tape();
    auto const y = tape.make({a, c}, rows_of(a.value(), form_a), cols_of(c.value(), form_c));
    tape.backend().product(a.value(), form_a, c.value(), form_c, y.result(), false);
    return tape.on_backward(y, [a, c, y, form_a, form_c] {
        auto const dy = y.gradient();
        if (form_a == Form::plain)
            detail::add_product(a, dy, Form::plain, c.value(), detail::flip(form_c));
        else
            detail::add_product(a, c.value(), form_c, dy, Form::transposed);
        if (form_c == Form::plain)
            detail::add_product(c, a.value(), detail::flip(form_a), dy, Form::plain);
        else
            detail::add_product(c, dy, Form::transposed, a.value(), form_a);
    });
}

/// Y = A C.
template <class B>
Value<B> product(Value<B> a, Value<B> c) {
    return product(a, Form::plain, c, Form::plain);
}

/// Y_bj = X_bj + r_j for a row r (1 x cols).     dX += dY,  dr_j += sum_b dY_bj
template <class B>
Value<B> add_row(Value<B> x, Value<B> r) {
    using T = typename B::Scalar;
    // A bias may lie in the arena as a column.
    detail::check_shapes(r.value().size() == x.cols() && (r.rows() == 1 || r.cols() == 1),
                         "addition of a row", x, r, "as many entries as columns");
    auto& tape = x.tape();
    auto const y = tape.make({x, r}, x.rows(), x.cols());
    tape.backend().map([] POLDER_IN_KERNEL(T & out, T in, T ri) { out = in + ri; }, y.result(),
                       x.value(), per_column(r.value()));
    return tape.on_backward(y, [x, r, y] {
        detail::add_gradient(
            x, [] POLDER_IN_KERNEL(T & dx, T dy) { dx += dy; }, y.gradient());
        if (r.is_variable()) y.tape().backend().add_column_sum(r.gradient_sum(), y.gradient());
    });
}

/// A layer: Y = X W^T + b, W (outputs x inputs), b one entry per output.
template <class B>
Value<B> linear(Value<B> x, Value<B> weight, Value<B> bias) {
    return add_row(product(x, Form::plain, weight, Form::transposed), bias);
}

/// Y = [X_0, X_1, ...], side by side.     dX_k += the columns of dY that are X_k's
template <class B>
Value<B> concatenate_columns(std::span<Value<B> const> xs) {
    std::size_t cols = 0;
    for (auto const x : xs) {
        detail::check_shapes(x.rows() == xs.front().rows(), "concatenation", xs.front(), x,
                             "as many rows");
        cols += x.cols();
    }
    auto& tape = xs.front().tape();
    auto const y = tape.make(xs, xs.front().rows(), cols);
    tape.keep(y, xs);
    std::size_t at = 0;
    for (auto const x : xs) {
        tape.backend().copy_columns(x.value(), 0, y.result(), at, x.cols());
        at += x.cols();
    }
    return tape.on_backward(y, [y] {
        std::size_t at = 0;
        for (auto const x : y.operands()) {
            if (x.is_variable())
                y.tape().backend().add_columns(y.gradient(), at, x.gradient_sum(), 0, x.cols());
            at += x.cols();
        }
    });
}

template <class B>
Value<B> concatenate_columns(std::initializer_list<Value<B>> xs) {
    return concatenate_columns(std::span(xs.begin(), xs.size()));
}
template <class B>
Value<B> concatenate_columns(std::vector<Value<B>> const& xs) {
    return concatenate_columns(std::span<Value<B> const>(xs));
}

/// Y = the columns [first, first + n) of X.     dX += dY there
template <class B>
Value<B> slice_columns(Value<B> x, std::size_t first, std::size_t n) {
    detail::check_present("slice_columns", {x});
    if (first + n > x.cols())
        throw std::invalid_argument("tape: columns " + std::to_string(first) + " to " +
                                    std::to_string(first + n) + " of " + detail::shape(x));
    auto& tape = x.tape();
    auto const y = tape.make({x}, x.rows(), n);
    tape.backend().copy_columns(x.value(), first, y.result(), 0, n);
    return tape.on_backward(y, [x, y, first] {
        y.tape().backend().add_columns(y.gradient(), 0, x.gradient_sum(), first, y.cols());
    });
}

/// Y = [A; C], one below the other.     dA, dC += their rows of dY
template <class B>
Value<B> concatenate_rows(Value<B> a, Value<B> c) {
    detail::check_shapes(a.cols() == c.cols(), "concatenation of rows", a, c, "as many columns");
    auto& tape = a.tape();
    auto& backend = tape.backend();
    auto const y = tape.make({a, c}, a.rows() + c.rows(), a.cols());
    backend.copy(a.value(), row_range(y.result(), 0, a.rows()));
    backend.copy(c.value(), row_range(y.result(), a.rows(), c.rows()));
    return tape.on_backward(y, [a, c, y] {
        using T = typename B::Scalar;
        auto const step = [] POLDER_IN_KERNEL(T & d, T dy) { d += dy; };
        detail::add_gradient(a, step, row_range(y.gradient(), 0, a.rows()));
        detail::add_gradient(c, step, row_range(y.gradient(), a.rows(), c.rows()));
    });
}

/// Y = the rows [first, first + n) of X.     dX += dY there
template <class B>
Value<B> slice_rows(Value<B> x, std::size_t first, std::size_t n) {
    detail::check_present("slice_rows", {x});
    if (first + n > x.rows())
        throw std::invalid_argument("tape: rows " + std::to_string(first) + " to " +
                                    std::to_string(first + n) + " of " + detail::shape(x));
    auto& tape = x.tape();
    auto const y = tape.make({x}, n, x.cols());
    tape.backend().copy(row_range(x.value(), first, n), y.result());
    return tape.on_backward(y, [x, y, first] {
        using T = typename B::Scalar;
        y.tape().backend().map([] POLDER_IN_KERNEL(T & dx, T dy) { dx += dy; },
                               row_range(x.gradient_sum(), first, y.rows()), y.gradient());
    });
}

}  // namespace polder::recsys
