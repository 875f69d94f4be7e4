/// The mixed loss of two batches: the "+" of SAM+, FSAM+, BSAM+.
#pragma once

#include <string>

#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/mix/none.hpp>
#include <polder/mix/weights.hpp>
#include <polder/policy_name.hpp>

namespace polder {

/// u = kappa u_First + (1 - kappa) g2,   g2 = grad L_B2(x),   u_First the mix of the first batch's gradients.
/// Xu et al. (BSAM), eq. (13), with u_First = s = grad L_B1(x + eps). The perturbation and every average come
/// from the first batch alone.
template <class First>
struct TwoBatchesOf {
    double kappa = 0.6;  ///< weight of the first batch, in [0, 1]
    First first{};

    static constexpr bool reads_second = true;
    static constexpr bool reads_clean = requires { requires First::reads_clean; };
    static constexpr bool reads_products = requires { requires First::reads_products; };
    static std::string name() { return "TwoBatchesOf<" + policy_name<First>() + ">"; }

    void validate() const {
        require_fraction("kappa", kappa);
        first.validate();
    }
    POLDER_HOST_DEVICE MixWeights weights(GradientProducts const& p) const {
        const MixWeights w = first.weights(p);
        return {kappa * w.s, kappa * w.g, 1 - kappa};
    }
};

/// u = kappa s + (1 - kappa) g2.
using TwoBatches = TwoBatchesOf<NoMix>;

}  // namespace polder
