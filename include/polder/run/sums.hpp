/// Sums that several methods and policies ask for.
#pragma once

#include <array>
#include <cmath>

#include <polder/config.hpp>
#include <polder/engine/reduction.hpp>
#include <polder/run/site.hpp>

namespace polder::detail {

// The sum of a^2.
struct SumOfSquares {
    struct At {
        template <class V>
        POLDER_INLINE Terms<Sum> operator()(V value) const {
            double const a = static_cast<double>(value);
            return {Sum{a * a}};
        }
    };
    template <class T>
    POLDER_HOST_DEVICE At at(Site<T> const&) const {
        return {};
    }
};

// What a reduction of one sum finds: its root.
struct RootOfSum {
    template <class T>
    POLDER_HOST_DEVICE std::array<double, 1> finish(std::array<double, 1> const& sums,
                                                    Site<T> const&) const {
        return {std::sqrt(sums[0])};
    }
};

// ||a||.
struct EuclideanLength : SumOfSquares, RootOfSum {};

// <g, s> and <s, s> of two gradients; what a mix makes of them is its finish().
struct Products {
    struct At {
        template <class V>
        POLDER_INLINE Terms<Sum, Sum> operator()(V clean, V perturbed) const {
            double const g = static_cast<double>(clean), s = static_cast<double>(perturbed);
            return {Sum{g * s}, Sum{s * s}};
        }
    };
    template <class T>
    POLDER_HOST_DEVICE At at(Site<T> const&) const {
        return {};
    }
};

}  // namespace polder::detail
