/// GSAM, surrogate-gap SAM, and its form with a mixed loss.
#pragma once

#include <concepts>

#include <polder/mix/plus.hpp>
#include <polder/mix/surrogate_gap.hpp>
#include <polder/perturb/euclidean_ball.hpp>
#include <polder/sharpness.hpp>

namespace polder {

/// Hyper-parameters of GSAM.
struct GSAMOptions {
    double rho = 0.05;          ///< radius of the ball, >= 0
    double alpha = 0.4;         ///< weight of g_perp, >= 0
    double norm_guard = 1e-12;  ///< added to ||g||, >= 0
};

/// eps = rho g / ||g||_2,   s = grad L_B(x + eps),   x <- BaseOpt(x, s - alpha g_perp),
/// g_perp: the part of g = grad L_B(x) orthogonal to s. alpha = 0 is SAM.
/// Zhuang et al. 2022, Algorithm 1, with a constant rho. Two evaluations per step, both on B.
///
///     polder::GSAM optimizer{polder::SGD{.learning_rate = 0.1}, {.rho = 0.05, .alpha = 0.4}};
template <class BaseOpt>
struct GSAM : Sharpness<EuclideanBall, NoDistance, SurrogateGap, BaseOpt> {
    GSAM() requires std::default_initializable<BaseOpt> : GSAM(BaseOpt{}) {}
    GSAM(BaseOpt base, detail::NumberWithoutBraces) : GSAM(base) {}
    GSAM(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit GSAM(BaseOpt base, GSAMOptions options = {})
        : Sharpness<EuclideanBall, NoDistance, SurrogateGap, BaseOpt>(
              {options.rho, options.norm_guard}, {}, {options.alpha}, base) {}
};
template <class BaseOpt>
GSAM(BaseOpt, ...) -> GSAM<BaseOpt>;

/// Hyper-parameters of GSAM+.
struct GSAMPlusOptions {
    double rho = 0.05;          ///< radius of the ball, >= 0
    double alpha = 0.4;         ///< weight of g_perp, >= 0
    double kappa = 0.6;         ///< weight of the first batch, in [0, 1]
    double norm_guard = 1e-12;  ///< added to ||g||, >= 0
};

/// GSAM+: x <- BaseOpt(x, kappa (s - alpha g_perp) + (1 - kappa) grad L_B2(x)), s and g_perp as in GSAM from B1.
/// Xu et al. (BSAM), eq. (13). Three evaluations per step, two on B1 and one on B2.
template <class BaseOpt>
struct GSAMPlus : Sharpness<EuclideanBall, NoDistance, TwoBatchesOf<SurrogateGap>, BaseOpt> {
    GSAMPlus() requires std::default_initializable<BaseOpt> : GSAMPlus(BaseOpt{}) {}
    GSAMPlus(BaseOpt base, detail::NumberWithoutBraces) : GSAMPlus(base) {}
    GSAMPlus(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit GSAMPlus(BaseOpt base, GSAMPlusOptions options = {})
        : Sharpness<EuclideanBall, NoDistance, TwoBatchesOf<SurrogateGap>, BaseOpt>(
              {options.rho, options.norm_guard}, {}, {options.kappa, {options.alpha}}, base) {}
};
template <class BaseOpt>
GSAMPlus(BaseOpt, ...) -> GSAMPlus<BaseOpt>;

}  // namespace polder
