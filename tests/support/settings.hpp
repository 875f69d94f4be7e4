#pragma once

#include <cstdint>
#include <optional>

#include "support/adam_or_momentum.hpp"

namespace polder::test {

/// The hyper-parameters that all methods of a test share. One that is empty is the method's own default, or
/// what makes it SAM for kappa = 1.
struct Settings {
    double rho = 0.05;
    double kappa = 0.6;
    double norm_guard = 1e-12;
    AdamOrMomentum base{Adam{.learning_rate = 0.02, .weight_decay = 0.01}};

    std::optional<double> lambda{};          // of averages
    std::optional<double> sigma{};           // FSAM
    std::optional<double> eta{};             // ASAM, FisherSAM
    std::optional<double> alpha{};           // GSAM, LookSAM
    std::optional<double> gamma{};           // WSAM
    double p = 3;                            // of the norm
    double alpha1 = 1, alpha2 = 0.2;         // MG, SGBD
    std::uint64_t every = 3;                 // LookSAM, MG, SGBD
    double sparsity = 0.5, drop_rate = 0.5;  // SSAM
    int samples = 3;                         // FisherSAM, SSAM-F
};

}  // namespace polder::test
