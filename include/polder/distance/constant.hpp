/// A distance that does not depend on the gradient.
#pragma once

#include <string_view>

#include <polder/config.hpp>
#include <polder/distance/inner_products.hpp>
#include <polder/hyper_parameter.hpp>

namespace polder {

/// d = sigma: Friendly SAM.
struct Constant {
    double sigma = 1;  ///< >= 0

    static constexpr std::string_view name = "Constant";
    void validate() const { require_non_negative("sigma", sigma); }
    POLDER_HOST_DEVICE double distance(InnerProducts const&) const { return sigma; }
};

}  // namespace polder
