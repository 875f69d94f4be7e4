/// Manhattan distances between the gradient and its reference direction.
#pragma once

#include <cmath>
#include <string_view>

#include <polder/config.hpp>
#include <polder/distance/inner_products.hpp>
#include <polder/engine/reduction.hpp>

namespace polder {

/// d = sum over coordinates of |g - e|: the literal reading of the BSAM paper.
/// It grows with the number of coordinates. In the first step v = (1 - (1 - lambda) d) g with d = lambda ||g||_1, so the ascent becomes
/// a descent if ||g||_1 > 1 / (lambda (1 - lambda)), which is 4.2 for lambda = 0.6. Large models pass it.
/// Report::cosine is then below zero.
struct Manhattan {
    static constexpr std::string_view name = "Manhattan";
    void validate() const {}
    POLDER_HOST_DEVICE static Sum term(double g, double e) { return {std::abs(g - e)}; }
    POLDER_HOST_DEVICE static double distance(Sum total, InnerProducts const&) {
        return total.value;
    }
};

/// d = mean over coordinates of |g - e|. It does not grow with the number of coordinates. 0 of none.
struct ManhattanMean {
    static constexpr std::string_view name = "ManhattanMean";
    void validate() const {}
    POLDER_HOST_DEVICE static Sum term(double g, double e) { return {std::abs(g - e)}; }
    POLDER_HOST_DEVICE static double distance(Sum total, InnerProducts const& p) {
        return p.coordinates > 0 ? total.value / p.coordinates : 0;
    }
};

}  // namespace polder
