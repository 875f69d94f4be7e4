/// The clean and the perturbed gradient of one batch, weighted.
#pragma once

#include <cmath>
#include <string_view>

#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/mix/weights.hpp>

namespace polder {

/// u = alpha s + (1 - alpha) g,   s = grad L_B(x + eps),   g = grad L_B(x).
/// normalise_clean: g / ||g|| in the place of g, as the authors' code has it by default; 0 for a zero g.
/// Zhao et al. 2022 (GNP), eq. (10), alpha being the penalty's coefficient over the radius.
struct SameBatch {
    double alpha = 0.8;  ///< weight of the perturbed gradient, in [0, 1]
    bool normalise_clean = false;

    static constexpr std::string_view name = "SameBatch";
    static constexpr bool reads_clean = true;

    void validate() const { require_fraction("alpha", alpha); }
    POLDER_HOST_DEVICE MixWeights weights(GradientProducts const& p) const {
        const double norm = std::sqrt(p.gg);
        const double scale = !normalise_clean ? 1 : norm > 0 ? 1 / norm : 0;
        return {alpha, (1 - alpha) * scale};
    }
};

}  // namespace polder
