/// The gradient at the perturbed point alone.
#pragma once

#include <string_view>

#include <polder/config.hpp>
#include <polder/mix/weights.hpp>

namespace polder {

/// u = s.
struct NoMix {
    static constexpr std::string_view name = "NoMix";
    void validate() const {}
    POLDER_HOST_DEVICE MixWeights weights(GradientProducts const&) const { return {}; }
};

}  // namespace polder
