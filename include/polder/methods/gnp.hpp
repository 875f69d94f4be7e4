/// GNP, the penalty on the norm of the gradient.
#pragma once

#include <concepts>

#include <polder/mix/same_batch.hpp>
#include <polder/perturb/euclidean_ball.hpp>
#include <polder/sharpness.hpp>

namespace polder {

/// Hyper-parameters of GNP; defaults: the authors' recipe.
struct GNPOptions {
    double rho = 0.1;              ///< radius of the ball, >= 0
    double alpha = 0.8;            ///< weight of the perturbed gradient, in [0, 1]
    bool normalise_clean = false;  ///< g / ||g|| in the mix
    double norm_guard = 1e-12;     ///< added to ||g||, >= 0
};

/// eps = rho g / ||g||_2,   x <- BaseOpt(x, alpha grad L_B(x + eps) + (1 - alpha) g),   g = grad L_B(x).
/// alpha = 1 is SAM, alpha = 0 the base optimizer. (A PyTorch port has the two weights exchanged.)
/// Zhao et al. 2022; zhaoyang-0204/gnp. Two evaluations per step, both on B.
///
///     polder::GNP optimizer{polder::SGD{.learning_rate = 0.1}, {.rho = 0.1, .alpha = 0.8}};
template <class BaseOpt>
struct GNP : Sharpness<EuclideanBall, NoDistance, SameBatch, BaseOpt> {
    GNP() requires std::default_initializable<BaseOpt> : GNP(BaseOpt{}) {}
    GNP(BaseOpt base, detail::NumberWithoutBraces) : GNP(base) {}
    GNP(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit GNP(BaseOpt base, GNPOptions options = {})
        : Sharpness<EuclideanBall, NoDistance, SameBatch, BaseOpt>(
              {options.rho, options.norm_guard}, {}, {options.alpha, options.normalise_clean},
              base) {}
};
template <class BaseOpt>
GNP(BaseOpt, ...) -> GNP<BaseOpt>;

}  // namespace polder
