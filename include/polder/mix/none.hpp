/// The gradient at the perturbed point alone.
#pragma once

namespace polder {

/// u = s.
struct NoMix {
    void validate() const {}
};

}  // namespace polder
