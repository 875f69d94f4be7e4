/// No perturbation: the base optimizer alone.
#pragma once

namespace polder {

/// eps = 0. The step has one evaluation and one pass.
struct NoPerturbation {
    void validate() const {}
};

}  // namespace polder
