/// The perturbed gradient without part of what the clean one has across it.
#pragma once

#include <cmath>
#include <string_view>

#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/mix/weights.hpp>

namespace polder {

/// u = s - alpha g_perp,   g_perp = g - cos ||g|| s / ||s||,   cos = <g, s> / (||g|| ||s||):
/// descends the perturbed loss, and with g's component across s ascends the loss at x, so that the gap
/// between the two shrinks. Norms have 1e-12 added where they divide.
/// Zhuang et al. 2022 (GSAM), Algorithm 1; juntang-zhuang/GSAM.
struct SurrogateGap {
    double alpha = 0.4;  ///< weight of g_perp, >= 0

    static constexpr std::string_view name = "SurrogateGap";
    static constexpr bool reads_clean = true;
    static constexpr bool reads_products = true;

    void validate() const { require_non_negative("alpha", alpha); }
    POLDER_HOST_DEVICE MixWeights weights(GradientProducts const& p) const {
        constexpr double guard = 1e-12;
        const double g = std::sqrt(p.gg), s = std::sqrt(p.ss);
        const double cosine = p.gs / (g * s + guard);
        return {1 + alpha * cosine * g / (s + guard), -alpha};
    }
};

}  // namespace polder
