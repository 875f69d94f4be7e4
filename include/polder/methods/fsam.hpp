/// FSAM, Friendly SAM, and its form with a mixed loss.
#pragma once

#include <concepts>

#include <polder/distance/constant.hpp>
#include <polder/distance/distance_to.hpp>
#include <polder/mix/plus.hpp>
#include <polder/perturb/euclidean_ball.hpp>
#include <polder/sharpness.hpp>

namespace polder {

/// Hyper-parameters of FSAM.
struct FSAMOptions {
    double rho = 0.05;          ///< radius of the ball, >= 0
    double sigma = 1;           ///< how much of the average is taken off, >= 0
    double lambda = 0.9;        ///< decay of the average, in [0, 1)
    double norm_guard = 1e-12;  ///< added to ||v||, >= 0
};

/// v = g - sigma e,   eps = rho v / ||v||_2,   x <- BaseOpt(x, grad L_B(x + eps)).
/// g = grad L_B(x); e is an average of past gradients, by the convention of Reference:
///
///     LaggedAverage (default)   e before its update, started from the first gradient: the published code
///     MovingAverage             e after its update, started from zero: the BSAM paper's account of FSAM
///     LaggedReducedAverage      as LaggedAverage, but fed v
///
/// The first two agree in direction only for sigma = 1. Li et al. 2024. Two evaluations per step.
///
///     polder::FSAM optimizer{polder::Adam{}, {.rho = 0.1, .sigma = 1, .lambda = 0.6}};
///     polder::FSAM<polder::Adam, polder::MovingAverage> as_in_bsam{polder::Adam{}, {.rho = 0.1}};
template <class BaseOpt, reference_direction Reference = LaggedAverage>
struct FSAM : Sharpness<EuclideanBall, DistanceTo<Reference, Constant>, NoMix, BaseOpt> {
    FSAM() requires std::default_initializable<BaseOpt> : FSAM(BaseOpt{}) {}
    FSAM(BaseOpt base, detail::NumberWithoutBraces) : FSAM(base) {}
    FSAM(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit FSAM(BaseOpt base, FSAMOptions options = {})
        : Sharpness<EuclideanBall, DistanceTo<Reference, Constant>, NoMix, BaseOpt>(
              {options.rho, options.norm_guard}, {{options.lambda}, {options.sigma}}, {}, base) {}
};
template <class BaseOpt>
FSAM(BaseOpt, ...) -> FSAM<BaseOpt>;

/// Hyper-parameters of FSAM+.
struct FSAMPlusOptions {
    double rho = 0.05;          ///< radius of the ball, >= 0
    double sigma = 1;           ///< how much of the average is taken off, >= 0
    double lambda = 0.9;        ///< decay of the average, in [0, 1)
    double kappa = 0.6;         ///< weight of the perturbed gradient, in [0, 1]
    double norm_guard = 1e-12;  ///< added to ||v||, >= 0
};

/// FSAM+: eps as in FSAM from B1,   x <- BaseOpt(x, kappa grad L_B1(x + eps) + (1 - kappa) grad
/// L_B2(x)). Xu et al. (BSAM), eq. (13). Three evaluations per step, two on B1 and one on B2.
template <class BaseOpt, reference_direction Reference = LaggedAverage>
struct FSAMPlus : Sharpness<EuclideanBall, DistanceTo<Reference, Constant>, TwoBatches, BaseOpt> {
    FSAMPlus() requires std::default_initializable<BaseOpt> : FSAMPlus(BaseOpt{}) {}
    FSAMPlus(BaseOpt base, detail::NumberWithoutBraces) : FSAMPlus(base) {}
    FSAMPlus(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit FSAMPlus(BaseOpt base, FSAMPlusOptions options = {})
        : Sharpness<EuclideanBall, DistanceTo<Reference, Constant>, TwoBatches, BaseOpt>(
              {options.rho, options.norm_guard}, {{options.lambda}, {options.sigma}},
              {options.kappa}, base) {}
};
template <class BaseOpt>
FSAMPlus(BaseOpt, ...) -> FSAMPlus<BaseOpt>;

}  // namespace polder
