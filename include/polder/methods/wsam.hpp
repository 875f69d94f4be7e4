/// WSAM, SAM with a weight on the sharpness.
#pragma once

#include <concepts>

#include <polder/mix/weighted_sharpness.hpp>
#include <polder/perturb/euclidean_ball.hpp>
#include <polder/sharpness.hpp>

namespace polder {

/// Hyper-parameters of WSAM.
struct WSAMOptions {
    double rho = 0.05;          ///< radius of the ball, >= 0
    double gamma = 0.9;         ///< a = gamma / (1 - gamma) weighs the sharpness, in [0, 1)
    double norm_guard = 1e-12;  ///< added to ||g||, >= 0
};

/// eps = rho g / ||g||_2,   s = grad L_B(x + eps),   a = gamma / (1 - gamma):
/// x <- BaseOpt(x, g) - learning_rate a (s - g)      Mix = DecoupledSharpness (the authors' default)
/// x <- BaseOpt(x, a s + (1 - a) g)                  Mix = WeightedSharpness (coupled)
/// Yue et al. 2023, Algorithm 1. Two evaluations per step, both on B.
///
///     polder::WSAM optimizer{polder::SGD{.learning_rate = 0.1}, {.rho = 0.05, .gamma = 0.8}};
///     polder::WSAM<polder::Adam, polder::WeightedSharpness> coupled{polder::Adam{}, {.gamma = 0.8}};
template <class BaseOpt, class Mix = DecoupledSharpness>
struct WSAM : Sharpness<EuclideanBall, NoDistance, Mix, BaseOpt> {
    WSAM() requires std::default_initializable<BaseOpt> : WSAM(BaseOpt{}) {}
    WSAM(BaseOpt base, detail::NumberWithoutBraces) : WSAM(base) {}
    WSAM(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit WSAM(BaseOpt base, WSAMOptions options = {})
        : Sharpness<EuclideanBall, NoDistance, Mix, BaseOpt>({options.rho, options.norm_guard}, {},
                                                             {options.gamma}, base) {}
};
template <class BaseOpt>
WSAM(BaseOpt, ...) -> WSAM<BaseOpt>;

}  // namespace polder
