/// ESAM's stochastic weight perturbation.
#pragma once

#include <concepts>
#include <cstdint>

#include <polder/perturb/euclidean_ball.hpp>
#include <polder/perturb/stochastic.hpp>
#include <polder/sharpness.hpp>

namespace polder {

/// Hyper-parameters of ESAM.
struct ESAMOptions {
    double rho = 0.05;         ///< radius of the ball, >= 0
    double beta = 0.6;         ///< the probability that a coordinate moves, in (0, 1]; 1 is SAM
    std::uint64_t seed = 0;    ///< of the draws
    double norm_guard = 1e-7;  ///< added to ||g||, >= 0
};

/// eps_i = (b_i / beta) rho g_i / ||g||_2,   b_i = 1 with probability beta,   x <- BaseOpt(x, grad L_B(x + eps)).
/// Du et al. 2022, section 3.1. Two evaluations per step, both on B.
///
///     polder::ESAM optimizer{polder::SGD{.learning_rate = 0.1}, {.rho = 0.1, .beta = 0.6}};
template <class BaseOpt>
struct ESAM : Sharpness<Stochastic<EuclideanBall>, NoDistance, NoMix, BaseOpt> {
    ESAM() requires std::default_initializable<BaseOpt> : ESAM(BaseOpt{}) {}
    ESAM(BaseOpt base, detail::NumberWithoutBraces) : ESAM(base) {}
    ESAM(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit ESAM(BaseOpt base, ESAMOptions options = {})
        : Sharpness<Stochastic<EuclideanBall>, NoDistance, NoMix, BaseOpt>(
              {{options.rho, options.norm_guard}, options.beta, options.seed}, {}, {}, base) {}
};
template <class BaseOpt>
ESAM(BaseOpt, ...) -> ESAM<BaseOpt>;

}  // namespace polder
