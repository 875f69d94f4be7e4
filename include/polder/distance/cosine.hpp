/// The cosine distance between the gradient and its reference direction.
#pragma once

#include <cmath>
#include <string_view>

#include <polder/config.hpp>
#include <polder/distance/inner_products.hpp>

namespace polder {

/// d = 1 - <g, e> / (||g|| ||e|| + 1e-12): 0 for parallel, 2 for opposite directions.
struct Cosine {
    static constexpr std::string_view name = "Cosine";
    void validate() const {}
    POLDER_HOST_DEVICE static double distance(InnerProducts const& p) {
        return 1 - p.ge / (std::sqrt(p.gg) * std::sqrt(p.ee) + 1e-12);
    }
};

}  // namespace polder
