/// The worst-case move in a Euclidean ball.
#pragma once

#include <string_view>

#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>

namespace polder {

/// eps = rho v / (||v||_2 + norm_guard): maximises <v, eps> over ||eps||_2 <= rho.
/// v: the ascent direction, one value per coordinate; the norm runs over all coordinates together.
/// Foret et al. 2021, eq. (2) with p = 2; the guard makes a zero gradient give eps = 0.
struct EuclideanBall {
    double rho = 0.05;          ///< radius, >= 0
    double norm_guard = 1e-12;  ///< added to the norm, >= 0

    static constexpr std::string_view name = "EuclideanBall";

    /// Throws std::invalid_argument that names the hyper-parameter which is out of range.
    void validate() const {
        require_non_negative("rho", rho);
        require_non_negative("norm_guard", norm_guard);
    }

    /// c = rho / (||v|| + norm_guard), and 0 where both are 0.
    POLDER_HOST_DEVICE double coefficient(double norm) const {
        return norm + norm_guard > 0 ? rho / (norm + norm_guard) : 0;
    }
};

}  // namespace polder
