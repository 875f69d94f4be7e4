/// FisherSAM and its form with a mixed loss.
#pragma once

#include <polder/mix/two_batches.hpp>
#include <polder/perturb/fisher_ellipsoid.hpp>
#include <polder/sharpness.hpp>

namespace polder {

/// Hyper-parameters of FisherSAM.
struct FisherSAMOptions {
    double rho = 0.1;           ///< radius of the ellipsoid, >= 0
    double eta = 1;             ///< weight of the Fisher metric, >= 0
    double norm_guard = 1e-12;  ///< added to the norm, >= 0
};

/// eps = rho F^-1 g / sqrt(g' F^-1 g),   F^-1 = 1 / (1 + eta g^2),   x <- BaseOpt(x, grad L_B(x + eps)).
/// g = grad L_B(x); F is the diagonal of the batch gradient's square, over all coordinates together.
/// Kim et al. 2022. Two evaluations per step, both on B.
///
///     polder::FisherSAM optimizer{polder::Adam{}, {.rho = 0.1, .eta = 1}};
template <base_optimizer BaseOpt>
struct FisherSAM : Sharpness<FisherEllipsoid, NoDistance, NoMix, BaseOpt> {
    explicit FisherSAM(BaseOpt base, FisherSAMOptions options = {})
        : Sharpness<FisherEllipsoid, NoDistance, NoMix, BaseOpt>(
              {options.rho, options.eta, options.norm_guard}, {}, {}, base) {}
};

/// Hyper-parameters of FisherSAM+.
struct FisherSAMPlusOptions {
    double rho = 0.1;           ///< radius of the ellipsoid, >= 0
    double eta = 1;             ///< weight of the Fisher metric, >= 0
    double kappa = 0.6;         ///< weight of the perturbed gradient, in [0, 1]
    double norm_guard = 1e-12;  ///< added to the norm, >= 0
};

/// FisherSAM+: eps as in FisherSAM from B1,
/// x <- BaseOpt(x, kappa grad L_B1(x + eps) + (1 - kappa) grad L_B2(x)).
/// Xu et al. (BSAM), eq. (13). Three evaluations per step, two on B1 and one on B2.
template <base_optimizer BaseOpt>
struct FisherSAMPlus : Sharpness<FisherEllipsoid, NoDistance, TwoBatches, BaseOpt> {
    explicit FisherSAMPlus(BaseOpt base, FisherSAMPlusOptions options = {})
        : Sharpness<FisherEllipsoid, NoDistance, TwoBatches, BaseOpt>(
              {options.rho, options.eta, options.norm_guard}, {}, {options.kappa}, base) {}
};

}  // namespace polder
