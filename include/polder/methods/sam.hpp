/// SAM, sharpness-aware minimisation, and its form with a mixed loss.
#pragma once

#include <concepts>

#include <polder/mix/plus.hpp>
#include <polder/perturb/euclidean_ball.hpp>
#include <polder/sharpness.hpp>

namespace polder {

/// Hyper-parameters of SAM.
struct SAMOptions {
    double rho = 0.05;          ///< radius of the ball, >= 0
    double norm_guard = 1e-12;  ///< added to ||g||, >= 0
};

/// eps = rho g / ||g||_2,   x <- BaseOpt(x, grad L_B(x + eps)).
/// g = grad L_B(x); the norm runs over all coordinates. Weight decay of the base optimizer acts at
/// x. Foret et al. 2021, Algorithm 1. Two evaluations per step, both on B.
///
///     polder::SAM optimizer{polder::SGD{.learning_rate = 0.1}, {.rho = 0.05}};
template <class BaseOpt>
struct SAM : Sharpness<EuclideanBall, NoDistance, NoMix, BaseOpt> {
    SAM() requires std::default_initializable<BaseOpt> : SAM(BaseOpt{}) {}
    SAM(BaseOpt base, detail::NumberWithoutBraces) : SAM(base) {}
    SAM(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit SAM(BaseOpt base, SAMOptions options = {})
        : Sharpness<EuclideanBall, NoDistance, NoMix, BaseOpt>({options.rho, options.norm_guard},
                                                               {}, {}, base) {}
};
template <class BaseOpt>
SAM(BaseOpt, ...) -> SAM<BaseOpt>;

/// Hyper-parameters of SAM+.
struct SAMPlusOptions {
    double rho = 0.05;          ///< radius of the ball, >= 0
    double kappa = 0.6;         ///< weight of the perturbed gradient, in [0, 1]
    double norm_guard = 1e-12;  ///< added to ||g||, >= 0
};

/// SAM+: eps as in SAM from B1,   x <- BaseOpt(x, kappa grad L_B1(x + eps) + (1 - kappa) grad
/// L_B2(x)). Xu et al. (BSAM), eq. (13). Three evaluations per step, two on B1 and one on B2.
template <class BaseOpt>
struct SAMPlus : Sharpness<EuclideanBall, NoDistance, TwoBatches, BaseOpt> {
    SAMPlus() requires std::default_initializable<BaseOpt> : SAMPlus(BaseOpt{}) {}
    SAMPlus(BaseOpt base, detail::NumberWithoutBraces) : SAMPlus(base) {}
    SAMPlus(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit SAMPlus(BaseOpt base, SAMPlusOptions options = {})
        : Sharpness<EuclideanBall, NoDistance, TwoBatches, BaseOpt>(
              {options.rho, options.norm_guard}, {}, {options.kappa}, base) {}
};
template <class BaseOpt>
SAMPlus(BaseOpt, ...) -> SAMPlus<BaseOpt>;

}  // namespace polder
