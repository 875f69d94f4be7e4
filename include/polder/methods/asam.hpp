/// ASAM, adaptive SAM, and its form with a mixed loss.
#pragma once

#include <concepts>

#include <polder/mix/plus.hpp>
#include <polder/perturb/adaptive_ball.hpp>
#include <polder/sharpness.hpp>

namespace polder {

/// Hyper-parameters of ASAM.
struct ASAMOptions {
    double rho = 0.5;           ///< radius of the ball, >= 0
    double eta = 0.01;          ///< added to |x|, >= 0
    double norm_guard = 1e-12;  ///< added to ||T g||, >= 0
};

/// eps = rho T^2 g / ||T g||_2,   T = |x| + eta,   x <- BaseOpt(x, grad L_B(x + eps)).
/// g = grad L_B(x). All coordinates are scaled, as in davda54/sam (there with eta = 0 and an advised rho of
/// 2), but for those of groups that are not adaptive: the authors' code has T = 1 for tensors whose name lacks
/// "weight".
/// Kwon et al. 2021. Two evaluations per step, both on B.
///
///     polder::ASAM optimizer{polder::SGD{.learning_rate = 0.1}, {.rho = 0.5, .eta = 0.01}};
template <class BaseOpt>
struct ASAM : Sharpness<AdaptiveBall, NoDistance, NoMix, BaseOpt> {
    ASAM() requires std::default_initializable<BaseOpt> : ASAM(BaseOpt{}) {}
    ASAM(BaseOpt base, detail::NumberWithoutBraces) : ASAM(base) {}
    ASAM(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit ASAM(BaseOpt base, ASAMOptions options = {})
        : Sharpness<AdaptiveBall, NoDistance, NoMix, BaseOpt>(
              {options.rho, options.eta, options.norm_guard}, {}, {}, base) {}
};
template <class BaseOpt>
ASAM(BaseOpt, ...) -> ASAM<BaseOpt>;

/// Hyper-parameters of ASAM+.
struct ASAMPlusOptions {
    double rho = 0.5;           ///< radius of the ball, >= 0
    double eta = 0.01;          ///< added to |x|, >= 0
    double kappa = 0.6;         ///< weight of the perturbed gradient, in [0, 1]
    double norm_guard = 1e-12;  ///< added to ||T g||, >= 0
};

/// ASAM+: eps as in ASAM from B1,   x <- BaseOpt(x, kappa grad L_B1(x + eps) + (1 - kappa) grad L_B2(x)).
/// Xu et al. (BSAM), eq. (13). Three evaluations per step, two on B1 and one on B2.
template <class BaseOpt>
struct ASAMPlus : Sharpness<AdaptiveBall, NoDistance, TwoBatches, BaseOpt> {
    ASAMPlus() requires std::default_initializable<BaseOpt> : ASAMPlus(BaseOpt{}) {}
    ASAMPlus(BaseOpt base, detail::NumberWithoutBraces) : ASAMPlus(base) {}
    ASAMPlus(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit ASAMPlus(BaseOpt base, ASAMPlusOptions options = {})
        : Sharpness<AdaptiveBall, NoDistance, TwoBatches, BaseOpt>(
              {options.rho, options.eta, options.norm_guard}, {}, {options.kappa}, base) {}
};
template <class BaseOpt>
ASAMPlus(BaseOpt, ...) -> ASAMPlus<BaseOpt>;

}  // namespace polder
