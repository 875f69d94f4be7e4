/// The gradient at the perturbed point alone.
#pragma once

#include <string_view>
#include <utility>

#include <polder/run/blend.hpp>

namespace polder {

/// u = s.
struct NoMix {
    static constexpr std::string_view name = "NoMix";
    void validate() const {}
    template <class R>
    auto blend(R&, Gradient s) const {
        return 1 * std::move(s);
    }
};

}  // namespace polder
