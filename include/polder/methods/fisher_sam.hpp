/// FisherSAM and its form with a mixed loss.
#pragma once

#include <concepts>

#include <polder/mix/plus.hpp>
#include <polder/perturb/fisher_ball.hpp>
#include <polder/sharpness.hpp>

namespace polder {

/// Hyper-parameters of FisherSAM.
struct FisherSAMOptions {
    double rho = 0.1;           ///< radius of the ellipsoid, >= 0
    double eta = 1;             ///< weight of the estimate in the metric, >= 0
    double damping = 1;         ///< the metric where the estimate is 0, > 0
    double norm_guard = 1e-12;  ///< added to the norm, >= 0
};

/// eps = rho F^-1 g / sqrt(g' F^-1 g),   F = damping + eta f,   x <- BaseOpt(x, grad L_B(x + eps)).
/// g = grad L_B(x); f estimates the squared gradient: g^2 (BatchFisher, the default), a moving average of it
/// (RunningFisher) or the mean over single samples (SampleFisher). Norm: MetricNorm as above,
/// MetricNormPerBlock or EuclideanNorm.
/// Kim et al. 2022. Two evaluations per step, both on B, and one for each sample of SampleFisher.
///
///     polder::FisherSAM optimizer{polder::Adam{}, {.rho = 0.1, .eta = 1}};
///     polder::FisherSAM running{polder::Adam{}, {.rho = 0.1}, polder::RunningFisher{.decay = 0.95}};
template <class BaseOpt, class Estimate = BatchFisher, class Norm = MetricNorm>
struct FisherSAM : Sharpness<FisherBall<Estimate, Norm>, NoDistance, NoMix, BaseOpt> {
    FisherSAM() requires std::default_initializable<BaseOpt> : FisherSAM(BaseOpt{}) {}
    FisherSAM(BaseOpt base, detail::NumberWithoutBraces) : FisherSAM(base) {}
    FisherSAM(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit FisherSAM(BaseOpt base, FisherSAMOptions options = {}, Estimate estimate = {})
        : Sharpness<FisherBall<Estimate, Norm>, NoDistance, NoMix, BaseOpt>(
              {options.rho, options.eta, options.damping, options.norm_guard, estimate}, {}, {},
              base) {}
};
template <class BaseOpt>
FisherSAM(BaseOpt, ...) -> FisherSAM<BaseOpt>;

/// Hyper-parameters of FisherSAM+.
struct FisherSAMPlusOptions {
    double rho = 0.1;           ///< radius of the ellipsoid, >= 0
    double eta = 1;             ///< weight of the estimate in the metric, >= 0
    double damping = 1;         ///< the metric where the estimate is 0, > 0
    double kappa = 0.6;         ///< weight of the perturbed gradient, in [0, 1]
    double norm_guard = 1e-12;  ///< added to the norm, >= 0
};

/// FisherSAM+: eps as in FisherSAM from B1,
/// x <- BaseOpt(x, kappa grad L_B1(x + eps) + (1 - kappa) grad L_B2(x)).
/// Xu et al. (BSAM), eq. (13). One evaluation more than FisherSAM, on B2.
template <class BaseOpt, class Estimate = BatchFisher, class Norm = MetricNorm>
struct FisherSAMPlus : Sharpness<FisherBall<Estimate, Norm>, NoDistance, TwoBatches, BaseOpt> {
    FisherSAMPlus() requires std::default_initializable<BaseOpt> : FisherSAMPlus(BaseOpt{}) {}
    FisherSAMPlus(BaseOpt base, detail::NumberWithoutBraces) : FisherSAMPlus(base) {}
    FisherSAMPlus(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit FisherSAMPlus(BaseOpt base, FisherSAMPlusOptions options = {}, Estimate estimate = {})
        : Sharpness<FisherBall<Estimate, Norm>, NoDistance, TwoBatches, BaseOpt>(
              {options.rho, options.eta, options.damping, options.norm_guard, estimate}, {},
              {options.kappa}, base) {}
};
template <class BaseOpt>
FisherSAMPlus(BaseOpt, ...) -> FisherSAMPlus<BaseOpt>;

}  // namespace polder
