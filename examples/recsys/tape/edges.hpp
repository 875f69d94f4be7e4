/// Sparse matrices of fixed places whose entries are on the tape: attention over edges, learned graphs.
#pragma once

#include <cstddef>

#include "recsys/tape/operand.hpp"
#include "recsys/tape/pattern.hpp"

namespace polder::recsys {

/// Y_r = sum over the entries e of row r of w_e X_column(e).
///     dX_c += sum over the entries e of column c of w_e dY_row(e),     dw_e += dY_row(e) . X_column(e)
/// w (entries x 1) in the order of the pattern, which stays where it is until `backward`.
template <class B>
Value<B> propagate(Pattern const& pattern, Value<B> w, Value<B> x) {
    detail::check_shapes(w.value().size() == pattern.size() && w.cols() == 1 &&
                             x.rows() == pattern.cols,
                         "propagate along edges", w, x,
                         "a column with an entry per edge, and a row per column of the pattern");
    auto& tape = x.tape();
    auto const y = tape.make({w, x}, pattern.rows, x.cols());
    tape.backend().multiply(pattern.by_row, w.value(), x.value(), y.result(), false);
    return tape.on_backward(y, [w, x, y, &pattern] {
        auto& backend = y.tape().backend();
        if (x.is_variable())
            backend.multiply(pattern.by_column, w.value(), y.gradient(), x.gradient_sum(), true);
        if (w.is_variable())
            backend.add_products(pattern.by_row, y.gradient(), x.value(), w.gradient_sum());
    });
}

/// w_e = A_row(e) . C_column(e), (entries x 1).
///     dA_r += sum over the entries of row r of dw_e C_column(e),     dC_c += the same by columns
template <class B>
Value<B> edge_dot(Pattern const& pattern, Value<B> a, Value<B> c) {
    detail::check_shapes(a.rows() == pattern.rows && c.rows() == pattern.cols &&
                             a.cols() == c.cols(),
                         "edge_dot", a, c, "a row per row and per column of the pattern");
    auto& tape = a.tape();
    auto& backend = tape.backend();
    auto const w = tape.make({a, c}, pattern.size(), 1);
    backend.fill(w.result(), Rows::all(), typename B::Scalar(0));
    backend.add_products(pattern.by_row, a.value(), c.value(), w.result());
    return tape.on_backward(w, [a, c, w, &pattern] {
        auto& to = w.tape().backend();
        if (a.is_variable())
            to.multiply(pattern.by_row, w.gradient(), c.value(), a.gradient_sum(), true);
        if (c.is_variable())
            to.multiply(pattern.by_column, w.gradient(), a.value(), c.gradient_sum(), true);
    });
}

/// The softmax of the entries of every row: y_e = exp(x_e - m) / (sum over the row of exp(x - m) + guard),
/// m the largest of the row, taken as a constant.     dx_e += y_e (dy_e - sum over the row of dy y)
template <class B>
Value<B> edge_softmax(Pattern const& pattern, Value<B> x,
                      typename B::Scalar guard = typename B::Scalar(0)) {
    detail::check_shapes(x.value().size() == pattern.size() && x.cols() == 1, "edge_softmax", x, x,
                         "a column with an entry per edge");
    auto& tape = x.tape();
    auto const y = tape.make({x}, x.rows(), 1);
    tape.backend().segment_softmax(pattern.by_row, guard, x.value(), y.result());
    return tape.on_backward(y, [x, y, &pattern] {
        y.tape().backend().add_segment_softmax_gradient(pattern.by_row, y.value(), y.gradient(),
                                                        x.gradient_sum());
    });
}

/// y_r = the sum of the entries of row r (rows x 1).     dx_e += dy_row(e)
template <class B>
Value<B> edge_row_sum(Pattern const& pattern, Value<B> x) {
    using T = typename B::Scalar;
    detail::check_shapes(x.value().size() == pattern.size() && x.cols() == 1, "edge_row_sum", x, x,
                         "a column with an entry per edge");
    auto& tape = x.tape();
    auto const y = tape.make({x}, pattern.rows, 1);
    tape.backend().segment_sum(pattern.by_row, x.value(), y.result());
    return tape.on_backward(y, [x, y, &pattern] {
        y.tape().backend().scatter_segments(
            pattern.by_row, [] POLDER_IN_KERNEL(T & dx, T dy) { dx += dy; }, x.gradient_sum(),
            y.gradient());
    });
}

}  // namespace polder::recsys
