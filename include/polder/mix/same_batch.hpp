/// The clean and the perturbed gradient of one batch, weighted.
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

/// u = alpha s + (1 - alpha) g,   s = grad L_B(x + eps),   g = grad L_B(x).
/// normalise_clean: g / ||g|| instead of g (0 if g is 0), which is the default of the authors' code.
/// Zhao et al. 2022 (GNP), eq. (10), alpha being the penalty's coefficient over the radius.
struct SameBatch {
    double alpha = 0.8;  ///< weight of the perturbed gradient, in [0, 1]
    bool normalise_clean = false;

    static constexpr std::string_view name = "SameBatch";

    static constexpr bool reads_clean = true;
    void validate() const { require_fraction("alpha", alpha); }
    template <class R>
    auto blend(R& run, Gradient s, Gradient g) const {
        auto const of_g = normalise_clean ? Coefficient(run.reduce(Share{{}, alpha}, g)[0])
                                          : Coefficient(1 - alpha);
        return alpha * std::move(s) + of_g * std::move(g);
    }

    // The passes. (Public, since nvcc accepts no private type in a kernel.)

    // (1 - alpha) / ||g||.
    struct Share : detail::SumOfSquares {
        double alpha;
        template <class T>
        POLDER_HOST_DEVICE std::array<double, 1> finish(std::array<double, 1> const& sums,
                                                        Site<T> const&) const {
            double const norm = std::sqrt(sums[0]);
            return {(1 - alpha) * (norm > 0 ? 1 / norm : 0)};
        }
    };
};

}  // namespace polder
