/// The perturbed gradient, minus a multiple of the part of the clean one that is orthogonal to it.
#pragma once

#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/run/blend.hpp>
#include <polder/run/sums.hpp>

namespace polder {

/// u = s - alpha g_perp,   g_perp = g - cos ||g|| s / ||s||,   cos = <g, s> / (||g|| ||s||).
/// u descends the perturbed loss. Its part -alpha g_perp ascends the loss at x and leaves the perturbed loss as it is, to
/// first order. So the gap between the two losses shrinks. 1e-12 is added to norms that divide.
/// Zhuang et al. 2022 (GSAM), Algorithm 1; juntang-zhuang/GSAM.
struct SurrogateGap {
    double alpha = 0.4;  ///< weight of g_perp, >= 0

    static constexpr std::string_view name = "SurrogateGap";

    static constexpr bool reads_clean = true;
    void validate() const { require_non_negative("alpha", alpha); }
    template <class R>
    auto blend(R& run, Gradient s, Gradient g) const {
        Coefficient const of_s = run.reduce(Share{{}, alpha, run.norm(g)}, g, s)[0];
        return of_s * std::move(s) + (-alpha) * std::move(g);
    }

    // The passes. (Public, since nvcc accepts no private type in a kernel.)

    // The weight of s.
    struct Share : detail::Products {
        double alpha;
        ValueId g_norm;
        template <class T>
        POLDER_HOST_DEVICE std::array<double, 1> finish(std::array<double, 2> const& sums,
                                                        Site<T> const& here) const {
            constexpr double guard = 1e-12;
            double const norm = here[g_norm], s_norm = std::sqrt(sums[1]);
            double const cosine = sums[0] / (norm * s_norm + guard);
            return {1 + alpha * cosine * norm / (s_norm + guard)};
        }
    };
};

}  // namespace polder
