/// What a reduction adds up: one term of every coordinate, folded over all coordinates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>

#include <polder/config.hpp>
#include <polder/pack.hpp>

namespace polder {

/// One coordinate's term of a sum. Folded in double (V, or a pack of it): a, b -> a + b, starting from 0.
struct Sum {
    double value = 0;
    template <class V>
    POLDER_INLINE static constexpr V fold(V a, V b) {
        return a + b;
    }
};

/// One coordinate's term of a maximum of values >= 0. Folded: a, b -> max(a, b), starting from 0.
struct Max {
    double value = 0;
    template <class V>
    POLDER_INLINE static constexpr V fold(V a, V b) {
        // Values >= 0 are ordered as their bits, and compilers vectorise the maximum of integers.
        return detail::bits_of(a) < detail::bits_of(b) ? b : a;
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
