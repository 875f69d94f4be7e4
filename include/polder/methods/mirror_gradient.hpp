/// Mirror Gradient and SGBD: a step down that is not undone, and a smaller step up.
#pragma once

#include <cstdint>

#include <polder/perturb/euclidean_ball.hpp>
#include <polder/perturb/mirror.hpp>
#include <polder/sharpness.hpp>

namespace polder {

/// Hyper-parameters of Mirror Gradient.
struct MirrorGradientOptions {
    double alpha1 = 1;       ///< weight of the first gradient
    double alpha2 = 0.2;     ///< weight of the second
    std::uint64_t beta = 3;  ///< steps from one mirror to the next, >= 1
    /// first: batches 0, beta, ... of each epoch (begin_epoch), as the authors' trainer does it;
    /// last: steps beta, 2 beta, ... counted from 1, as the paper does.
    Phase phase = Phase::first;
};

/// On a mirror step   x' = BaseOpt(x, alpha1 grad L_B(x)),   x <- BaseOpt(x', -alpha2 grad L_B(x'));
/// otherwise          x <- BaseOpt(x, grad L_B(x)).
/// A stateful base optimizer takes two steps then, with state, count and weight decay; with Adam the factors
/// nearly cancel in each update and act through the moments alone. Zhong et al. 2024 (MG), Algorithm 1.
/// 1 + 1 / beta evaluations per step, all on B.
///
///     polder::MirrorGradient optimizer{polder::Adam{}, {.alpha1 = 1, .alpha2 = 0.2, .beta = 3}};
template <base_optimizer BaseOpt>
struct MirrorGradient : Sharpness<Mirror<>, NoDistance, NoMix, BaseOpt> {
    explicit MirrorGradient(BaseOpt base, MirrorGradientOptions options = {})
        : Sharpness<Mirror<>, NoDistance, NoMix, BaseOpt>({{}, options.alpha1, options.alpha2}, {},
                                                          {}, base) {
        this->set_interval({.every = options.beta,
                            .phase = options.phase,
                            .restart_each_epoch = options.phase == Phase::first});
    }
};

/// Hyper-parameters of SGBD.
struct SGBDOptions {
    double rho = 0.05;       ///< radius of the ball, >= 0
    double alpha1 = 1;       ///< weight of the first gradient
    double alpha2 = 0.3;     ///< weight of the second
    std::uint64_t beta = 3;  ///< steps from one mirror to the next, >= 1
    /// As printed, the steps between have the length alpha2, too; false: that of the base optimizer.
    bool literal = false;
    double norm_guard = 1e-12;  ///< added to ||g||, >= 0
};

/// t mod beta = 0:  s = grad L_B(x + rho g / ||g||_2),
///                  x' = BaseOpt(x, alpha1 s),   x <- BaseOpt(x', -alpha2 grad L_B(x'));
/// otherwise        x <- BaseOpt(x, g), or BaseOpt(x, alpha2 g) if literal,   g = grad L_B(x).
/// t = 0, 1, ... is not reset by epochs. The paper's alpha1 and alpha2 are absolute rates: there the learning rate
/// is 1. SGBD, Algorithm 1. 1 + 2 / beta evaluations per step, all on B.
///
///     polder::SGBD optimizer{polder::Adam{}, {.rho = 0.05, .alpha1 = 1, .alpha2 = 0.3, .beta = 3}};
template <base_optimizer BaseOpt>
struct SGBD : Sharpness<Mirror<EuclideanBall>, NoDistance, NoMix, BaseOpt> {
    explicit SGBD(BaseOpt base, SGBDOptions options = {})
        : Sharpness<Mirror<EuclideanBall>, NoDistance, NoMix, BaseOpt>(
              {{options.rho, options.norm_guard},
               options.alpha1,
               options.alpha2,
               options.literal ? options.alpha2 : 1},
              {}, {}, base) {
        this->set_interval({.every = options.beta});
    }
};

}  // namespace polder
