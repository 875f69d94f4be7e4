/// SSAM, sparse SAM, with either of its masks.
#pragma once

#include <concepts>

#include <polder/perturb/euclidean_ball.hpp>
#include <polder/perturb/masked.hpp>
#include <polder/sharpness.hpp>

namespace polder {

/// Hyper-parameters of SSAM, but for those of its mask.
struct SSAMOptions {
    double rho = 0.05;         ///< radius of the ball, >= 0
    double norm_guard = 1e-7;  ///< added to ||g||, >= 0
};

/// eps = M o rho g / ||g||_2,   x <- BaseOpt(x, grad L_B(x + eps)), the norm over all coordinates.
/// Mask: FisherMask (SSAM-F), DynamicMask (SSAM-D) or FixedMask, with their own options. A mask of ones is SAM.
/// Epochs are told by Settings::begin_epoch.
/// Mi et al. 2022, Algorithms 1-3. Two evaluations per step, both on B, and those of a FisherMask's samples.
///
///     polder::SSAM fisher{polder::Adam{}, {.rho = 0.1}, polder::FisherMask{.sparsity = 0.5, .samples = 16}};
///     polder::SSAM dynamic{polder::Adam{}, {.rho = 0.1}, polder::DynamicMask{.sparsity = 0.5}};
template <class BaseOpt, class Mask = FisherMask>
struct SSAM : Sharpness<Masked<EuclideanBall, Mask>, NoDistance, NoMix, BaseOpt> {
    SSAM() requires std::default_initializable<BaseOpt> : SSAM(BaseOpt{}) {}
    SSAM(BaseOpt base, detail::NumberWithoutBraces) : SSAM(base) {}
    SSAM(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit SSAM(BaseOpt base, SSAMOptions options = {}, Mask mask = {})
        : Sharpness<Masked<EuclideanBall, Mask>, NoDistance, NoMix, BaseOpt>(
              {{options.rho, options.norm_guard}, mask}, {}, {}, base) {}
};
template <class BaseOpt>
SSAM(BaseOpt, ...) -> SSAM<BaseOpt>;

}  // namespace polder
