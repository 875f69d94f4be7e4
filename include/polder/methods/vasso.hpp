/// VaSSO, SAM along an average of gradients.
#pragma once

#include <concepts>

#include <polder/distance/along_average.hpp>
#include <polder/perturb/euclidean_ball.hpp>
#include <polder/sharpness.hpp>

namespace polder {

/// Hyper-parameters of VaSSO.
struct VaSSOOptions {
    double rho = 0.05;         ///< radius of the ball, >= 0
    double theta = 0.9;        ///< weight of the new gradient in the average, in [0, 1]; 1 is SAM
    double norm_guard = 1e-7;  ///< added to ||e||, >= 0
};

/// e_t = (1 - theta) e_{t-1} + theta g_t,   e_0 = g_0,   eps = rho e_t / ||e_t||_2,
/// x <- BaseOpt(x, grad L_B(x + eps)),   g = grad L_B(x).
/// Li and Giannakis 2023. Two evaluations per step, both on B.
///
///     polder::VaSSO optimizer{polder::SGD{.learning_rate = 0.1}, {.rho = 0.1, .theta = 0.4}};
template <class BaseOpt>
struct VaSSO : Sharpness<EuclideanBall, AlongAverage, NoMix, BaseOpt> {
    VaSSO() requires std::default_initializable<BaseOpt> : VaSSO(BaseOpt{}) {}
    VaSSO(BaseOpt base, detail::NumberWithoutBraces) : VaSSO(base) {}
    VaSSO(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit VaSSO(BaseOpt base, VaSSOOptions options = {})
        : Sharpness<EuclideanBall, AlongAverage, NoMix, BaseOpt>({options.rho, options.norm_guard},
                                                                 {options.theta}, {}, base) {}
};
template <class BaseOpt>
VaSSO(BaseOpt, ...) -> VaSSO<BaseOpt>;

}  // namespace polder
