/// What a mix with the clean gradient may know of the two gradients.
#pragma once

namespace polder {

/// Inner products over all coordinates: g is the clean gradient, s the one at the perturbed point.
struct GradientProducts {
    double gg = 0;  ///< <g, g>
    double gs = 0;  ///< <g, s>, where the mix asks for it
    double ss = 0;  ///< <s, s>, where the mix asks for it
};

}  // namespace polder
