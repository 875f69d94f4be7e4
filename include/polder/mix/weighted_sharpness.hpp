/// The loss plus a multiple of the sharpness.
#pragma once

#include <string_view>
#include <utility>

#include <polder/hyper_parameter.hpp>
#include <polder/run/blend.hpp>

namespace polder {

/// u = a s + (1 - a) g,   a = gamma / (1 - gamma): the gradient of L(x) + a (L(x + eps) - L(x)).
/// Yue et al. 2023 (WSAM), coupled.
struct WeightedSharpness {
    double gamma = 0.9;  ///< in [0, 1); 1/2 is SAM, 0 the base optimizer

    static constexpr std::string_view name = "WeightedSharpness";

    static constexpr bool reads_clean = true;
    void validate() const { require_decay("gamma", gamma); }
    template <class R>
    auto blend(R&, Gradient s, Gradient g) const {
        double const a = gamma / (1 - gamma);
        return a * std::move(s) + (1 - a) * std::move(g);
    }
};

/// The base optimizer steps with g, and then x <- x - learning_rate a (s - g),   a = gamma / (1 - gamma). So the sharpness
/// does not pass through the moments of the base optimizer. Clipping acts on g.
/// Yue et al. 2023 (WSAM), Algorithm 1, decoupled.
struct DecoupledSharpness {
    double gamma = 0.9;  ///< in [0, 1)

    static constexpr std::string_view name = "DecoupledSharpness";

    static constexpr bool reads_clean = true;
    void validate() const { require_decay("gamma", gamma); }
    template <class R>
    auto blend(R&, Gradient s, Gradient g) const {
        auto through = 1 * g;
        return with_bypass(std::move(through), gamma / (1 - gamma),
                           1 * std::move(s) - 1 * std::move(g));
    }
};

}  // namespace polder
