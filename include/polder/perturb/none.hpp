/// No perturbation: the base optimizer alone.
#pragma once

#include <string_view>

namespace polder {

/// eps = 0. The step has one evaluation and one pass.
struct NoPerturbation {
    static constexpr std::string_view name = "NoPerturbation";

    void validate() const {}
};

}  // namespace polder
