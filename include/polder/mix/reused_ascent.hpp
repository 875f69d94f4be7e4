/// What the perturbation added to the gradient, used again on the steps in between.
#pragma once

#include <cmath>
#include <string_view>

#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/mix/weights.hpp>

namespace polder {

/// On steps of the method (see Interval) u = s, and k = s - <s, n> n,   n = g / ||g||, is kept.
/// On the others                       u = g + alpha ||g|| / ||k|| k.
/// g = grad L_B(x), s = grad L_B(x + eps). Norms and products run over all coordinates, or over each block.
/// Liu et al. 2022 (LookSAM), Algorithm 1; over each block: kozistr/pytorch_optimizer.
template <bool over_blocks>
struct ReusedAscentOver {
    double alpha = 0.7;  ///< weight of k, >= 0

    double norm_guard = over_blocks ? 0 : 1e-12;     ///< added to ||g|| where it divides, >= 0
    double kept_guard = over_blocks ? 1e-8 : 1e-12;  ///< added to ||k||, >= 0

    static constexpr std::string_view name = over_blocks ? "ReusedAscentPerBlock" : "ReusedAscent";
    static constexpr bool reads_clean = true;
    static constexpr bool reuses = true;
    static constexpr bool per_block = over_blocks;

    void validate() const {
        require_non_negative("alpha", alpha);
        require_non_negative("norm_guard", norm_guard);
        require_non_negative("kept_guard", kept_guard);
    }
    POLDER_HOST_DEVICE MixWeights weights(GradientProducts const&) const { return {}; }

    /// What g is divided by to give n; 1 for a zero gradient.
    POLDER_HOST_DEVICE double norm(double gg) const {
        const double guarded = std::sqrt(gg) + norm_guard;
        return guarded > 0 ? guarded : 1;
    }

    /// The weight of k on the steps in between.
    POLDER_HOST_DEVICE double reuse(double gg, double kk) const {
        const double norm = std::sqrt(kk) + kept_guard;
        return norm > 0 ? alpha * std::sqrt(gg) / norm : 0;
    }
};

using ReusedAscent = ReusedAscentOver<false>;
using ReusedAscentPerBlock = ReusedAscentOver<true>;

}  // namespace polder
