/// The Chebyshev distance between the gradient and its reference direction.
#pragma once

#include <cmath>
#include <string_view>

#include <polder/config.hpp>
#include <polder/distance/inner_products.hpp>
#include <polder/engine/reduction.hpp>

namespace polder {

/// d = max over coordinates of |g - e|.
struct Chebyshev {
    static constexpr std::string_view name = "Chebyshev";
    void validate() const {}
    POLDER_HOST_DEVICE static Max term(double g, double e) { return {std::abs(g - e)}; }
    POLDER_HOST_DEVICE static double distance(Max total, InnerProducts const&) {
        return total.value;
    }
};

}  // namespace polder
