/// Sums of the clean gradient g and the gradient s at the perturbed point.
#pragma once

#include <polder/config.hpp>
#include <polder/engine/reduction.hpp>
#include <polder/run/site.hpp>

namespace polder::detail {

// <g, g>, <g, s> and <s, s>; what a mix makes of them is its finish().
struct Products {
    struct At {
        template <class V>
        POLDER_INLINE Terms<Sum, Sum, Sum> operator()(V clean, V perturbed) const {
            double const g = static_cast<double>(clean), s = static_cast<double>(perturbed);
            return {Sum{g * g}, Sum{g * s}, Sum{s * s}};
        }
    };
    template <class T>
    POLDER_HOST_DEVICE At at(Site<T> const&) const {
        return {};
    }
};

// <g, g>.
struct SquaredGradient {
    struct At {
        template <class V>
        POLDER_INLINE Terms<Sum> operator()(V gradient) const {
            double const g = static_cast<double>(gradient);
            return {Sum{g * g}};
        }
    };
    template <class T>
    POLDER_HOST_DEVICE At at(Site<T> const&) const {
        return {};
    }
};

}  // namespace polder::detail
