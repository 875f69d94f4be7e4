/// What the operations of the tape share. In their comments dX is dL/dX; indices: b rows, j columns.
#pragma once

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

#include "recsys/tape/broadcast.hpp"
#include "recsys/tape/kernel.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys::detail {

template <class B>
std::string shape(Value<B> x) {
    return std::to_string(x.rows()) + " x " + std::to_string(x.cols());
}

// Throws unless every row of the operands was computed: only mean and gather do with some.
template <class B>
void check_present(std::string_view operation, std::initializer_list<Value<B>> operands) {
    for (auto const x : operands)
        if (!x.present().is_all())
            throw std::invalid_argument("tape: " + std::string(operation) + " of " + shape(x) +
                                        ", of which some rows were not computed");
}

// Throws with the shapes of `a` and `c` unless `fits`.
template <class B>
void check_shapes(bool fits, std::string_view operation, Value<B> a, Value<B> c,
                  std::string_view expected) {
    check_present(operation, {a, c});
    if (!fits)
        throw std::invalid_argument("tape: " + std::string(operation) + " of " + shape(a) +
                                    " and " + shape(c) + ", expected " + std::string(expected));
}

template <class B>
void check_equal(std::string_view operation, Value<B> a, Value<B> c) {
    check_shapes(a.rows() == c.rows() && a.cols() == c.cols(), operation, a, c, "equal shapes");
}

// f(dX_bj, operands_bj...) for every entry, where X has a gradient.
template <class B, class F, class... Operands>
void add_gradient(Value<B> x, F f, Operands... operands) {
    if (x.is_variable()) x.tape().backend().map(f, x.gradient_sum(), operands...);
}

}  // namespace polder::recsys::detail
