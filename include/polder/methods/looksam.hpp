/// LookSAM, SAM on every k-th step with its effect used again in between.
#pragma once

#include <cstdint>

#include <polder/mix/reused_ascent.hpp>
#include <polder/perturb/euclidean_ball.hpp>
#include <polder/sharpness.hpp>

namespace polder {

/// Hyper-parameters of LookSAM.
struct LookSAMOptions {
    double rho = 0.1;           ///< radius of the ball, >= 0
    std::uint64_t every = 10;   ///< steps from one ascent to the next, >= 1; 1 is SAM
    double alpha = 0.7;         ///< weight of what is used again, >= 0
    double norm_guard = 1e-12;  ///< added to ||g||, >= 0
};

/// t mod every = 0:  a step of SAM, and k = s - <s, n> n,   n = g / ||g||, is kept;
/// otherwise         x <- BaseOpt(x, g + alpha ||g|| / ||k|| k).
/// g = grad L_B(x), s = grad L_B(x + eps); norms and products over all coordinates, or, with
/// ReusedAscentPerBlock, over each block (k alone; ||g|| of the ascent runs over all).
/// Liu et al. 2022, Algorithm 1. 1 + 1 / every evaluations per step, all on B.
///
///     polder::LookSAM optimizer{polder::Adam{}, {.rho = 0.1, .every = 5, .alpha = 0.7}};
template <base_optimizer BaseOpt, class Reuse = ReusedAscent>
struct LookSAM : Sharpness<EuclideanBall, NoDistance, Reuse, BaseOpt> {
    explicit LookSAM(BaseOpt base, LookSAMOptions options = {})
        : Sharpness<EuclideanBall, NoDistance, Reuse, BaseOpt>({options.rho, options.norm_guard},
                                                               {}, {options.alpha}, base) {
        this->set_interval({.every = options.every});
    }
};

}  // namespace polder
