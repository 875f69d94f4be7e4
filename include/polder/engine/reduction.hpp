/// What a reduction adds up: one term of every coordinate, folded over all coordinates.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
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
    static POLDER_HOST_DEVICE constexpr double fold(double a, double b) {
        // Values >= 0 are ordered as their bits, and compilers vectorise the maximum of integers.
        auto const p = std::bit_cast<std::int64_t>(a), q = std::bit_cast<std::int64_t>(b);
        return std::bit_cast<double>(p < q ? q : p);
    }
};

/// The terms that one coordinate adds to several reductions of one pass.
template <class... Folds>
using Terms = std::tuple<Folds...>;

namespace detail {

// Marks a function of a reduction that has conditions. The engine writes the terms of such a function to a small buffer before
// it adds them up, because compilers vectorise a loop with conditions only if it has no sums.
template <class F>
struct Conditional : F {};
template <class F>
Conditional(F) -> Conditional<F>;

template <class F>
inline constexpr bool has_conditions = false;
template <class F>
inline constexpr bool has_conditions<Conditional<F>> = true;

// What f makes of the sums of a reduction: f.finish(sums, site), or the sums themselves.
template <class F, std::size_t n, class Site>
POLDER_HOST_DEVICE auto finished(F const& f, std::array<double, n> const& sums,
                                 [[maybe_unused]] Site const& here) {
    if constexpr (requires { f.finish(sums, here); }) {
        return f.finish(sums, here);
    } else {
        return sums;
    }
}

}  // namespace detail

}  // namespace polder
