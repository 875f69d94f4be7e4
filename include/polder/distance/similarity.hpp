/// Two distances for which v is the gradient without what it shares with its reference direction.
#pragma once

#include <cmath>
#include <string_view>

#include <polder/config.hpp>
#include <polder/distance/inner_products.hpp>

namespace polder {

/// d = <g, e> / (||g|| ||e|| + 1e-12): the cosine of the angle between them.
struct Similarity {
    static constexpr std::string_view name = "Similarity";
    void validate() const {}
    POLDER_HOST_DEVICE static double distance(InnerProducts const& p) {
        return p.ge / (std::sqrt(p.gg) * std::sqrt(p.ee) + 1e-12);
    }
};

/// d = <g, e> / <e, e>, and 0 where e = 0: then v is the part of g that is orthogonal to e, and <v, g> >= 0.
struct Projection {
    static constexpr std::string_view name = "Projection";
    void validate() const {}
    POLDER_HOST_DEVICE static double distance(InnerProducts const& p) {
        return p.ee > 0 ? p.ge / p.ee : 0;
    }
};

}  // namespace polder
