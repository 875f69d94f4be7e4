/// What a reduction adds up: one term of every coordinate, folded over all coordinates.
#pragma once

#include <cstddef>
#include <tuple>

#include <polder/config.hpp>

namespace polder {

/// One coordinate's term of a sum. Folded in double: a, b -> a + b, starting from 0.
struct Sum {
    double value = 0;
    static POLDER_HOST_DEVICE constexpr double fold(double a, double b) { return a + b; }
};

/// One coordinate's term of a maximum of values >= 0. Folded: a, b -> max(a, b), starting from 0.
struct Max {
    double value = 0;
    static POLDER_HOST_DEVICE constexpr double fold(double a, double b) { return a < b ? b : a; }
};

/// The terms that one coordinate adds to several reductions of one pass.
template <class... Folds>
using Terms = std::tuple<Folds...>;

}  // namespace polder
