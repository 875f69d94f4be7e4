/// BSAM, batch-focused SAM, and its form with a mixed loss. (The literature also has bSAM, a
/// Bayesian method; this is not it.)
#pragma once

#include <concepts>
#include <type_traits>

#include <polder/distance/cosine.hpp>
#include <polder/distance/distance_to.hpp>
#include <polder/mix/plus.hpp>
#include <polder/perturb/euclidean_ball.hpp>
#include <polder/sharpness.hpp>

namespace polder {

namespace detail {

// The Distance of BSAM. With NoDistance BSAM is SAM, and there is no average.
template <class Measure>
struct BatchFocus {
    using Slot = DistanceTo<MovingAverage, Measure>;
    static Slot make(double lambda, Measure measure) { return {{lambda}, measure}; }
};
template <>
struct BatchFocus<NoDistance> {
    using Slot = NoDistance;
    static Slot make(double lambda, NoDistance) {
        MovingAverage{lambda}.validate();
        return {};
    }
};

}  // namespace detail

/// Hyper-parameters of BSAM; defaults: the paper's best on most data.
struct BSAMOptions {
    double rho = 0.1;           ///< radius of the ball, >= 0
    double lambda = 0.6;        ///< decay of the average, in [0, 1)
    double norm_guard = 1e-12;  ///< added to ||v||, >= 0
};

/// e_t = (1 - lambda) g_t + lambda e_{t-1},   e_{-1} = 0
/// v = g - d e,   d = Measure(g, e)
/// eps = rho v / ||v||_2,   x <- BaseOpt(x, grad L_B(x + eps)).
/// g = grad L_B(x); g, e, v, x: one value per coordinate; d, rho, lambda: scalars.
/// Xu et al. (BSAM), eq. (9)-(12) and Algorithm 1. The paper prints losses as arguments of the
/// distance in places; here, as in eq. (9) and (11), they are gradients. Two evaluations per step.
/// Measure: Cosine, the default, whose d is at most 2 and whose v ascends on models of any size; Manhattan, the paper's
/// as a sum, whose v descends on large ones; ManhattanMean, Euclidean, Chebyshev, Projection, Similarity, Constant,
/// NoDistance. docs/methods.md has what each reaches.
///
///     polder::BSAM optimizer{polder::Adam{.learning_rate = 1e-3}, {.rho = 0.1, .lambda = 0.6}};
///     polder::BSAM as_printed{polder::Adam{}, {.rho = 0.1}, polder::Manhattan{}};
template <class BaseOpt, class Measure = Cosine>
struct BSAM : Sharpness<EuclideanBall, typename detail::BatchFocus<Measure>::Slot, NoMix, BaseOpt> {
    BSAM() requires std::default_initializable<BaseOpt> : BSAM(BaseOpt{}) {}
    BSAM(BaseOpt base, detail::NumberWithoutBraces) : BSAM(base) {}
    BSAM(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit BSAM(BaseOpt base, BSAMOptions options = {}, Measure measure = {})
        : Sharpness<EuclideanBall, typename detail::BatchFocus<Measure>::Slot, NoMix, BaseOpt>(
              {options.rho, options.norm_guard},
              detail::BatchFocus<Measure>::make(options.lambda, measure), {}, base) {}
};
template <class BaseOpt>
BSAM(BaseOpt, ...) -> BSAM<BaseOpt>;

/// Hyper-parameters of BSAM+; defaults: the paper's best on most data.
struct BSAMPlusOptions {
    double rho = 0.1;           ///< radius of the ball, >= 0
    double lambda = 0.6;        ///< decay of the average, in [0, 1)
    double kappa = 0.6;         ///< weight of the perturbed gradient, in [0, 1]
    double norm_guard = 1e-12;  ///< added to ||v||, >= 0
};

/// BSAM+: eps as in BSAM from B1,   x <- BaseOpt(x, kappa grad L_B1(x + eps) + (1 - kappa) grad
/// L_B2(x)). Xu et al. (BSAM), eq. (13). Three evaluations per step, two on B1 and one on B2.
template <class BaseOpt, class Measure = Cosine>
struct BSAMPlus
    : Sharpness<EuclideanBall, typename detail::BatchFocus<Measure>::Slot, TwoBatches, BaseOpt> {
    BSAMPlus() requires std::default_initializable<BaseOpt> : BSAMPlus(BaseOpt{}) {}
    BSAMPlus(BaseOpt base, detail::NumberWithoutBraces) : BSAMPlus(base) {}
    BSAMPlus(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit BSAMPlus(BaseOpt base, BSAMPlusOptions options = {}, Measure measure = {})
        : Sharpness<EuclideanBall, typename detail::BatchFocus<Measure>::Slot, TwoBatches, BaseOpt>(
              {options.rho, options.norm_guard},
              detail::BatchFocus<Measure>::make(options.lambda, measure), {options.kappa}, base) {}
};
template <class BaseOpt>
BSAMPlus(BaseOpt, ...) -> BSAMPlus<BaseOpt>;

}  // namespace polder
