/// The mixed loss of two batches: the "+" of SAM+, FSAM+, BSAM+.
#pragma once

#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>

namespace polder {

/// u = kappa s + (1 - kappa) g2,   s = grad L_B1(x + eps),   g2 = grad L_B2(x).
/// Xu et al. (BSAM), eq. (13). The perturbation and every average come from the first batch alone.
struct TwoBatches {
    double kappa = 0.6;  ///< weight of the perturbed gradient, in [0, 1]

    void validate() const { require_fraction("kappa", kappa); }

    template <class T>
    struct Weights {
        T perturbed, second;
        POLDER_HOST_DEVICE T operator()(T s, T g2) const { return perturbed * s + second * g2; }
    };

    /// The mix of one coordinate.
    template <class T>
    Weights<T> weights() const {
        return {T(kappa), T(1 - kappa)};
    }
};

}  // namespace polder
