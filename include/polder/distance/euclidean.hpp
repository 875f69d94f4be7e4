/// The Euclidean distance between the gradient and its reference direction.
#pragma once

#include <cmath>
#include <string_view>

#include <polder/config.hpp>
#include <polder/distance/inner_products.hpp>
#include <polder/engine/reduction.hpp>

namespace polder {

/// d = ||g - e||_2. It is summed from the differences, since the inner products would cancel.
struct Euclidean {
    static constexpr std::string_view name = "Euclidean";
    void validate() const {}
    POLDER_HOST_DEVICE static Sum term(double g, double e) { return {(g - e) * (g - e)}; }
    POLDER_HOST_DEVICE static double distance(Sum total, InnerProducts const&) {
        return std::sqrt(total.value);
    }
};

}  // namespace polder
