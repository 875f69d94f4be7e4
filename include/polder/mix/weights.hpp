/// What a mix is: a function from a few sums to a few coefficients.
#pragma once

namespace polder {

/// Sums over all coordinates: g is the clean gradient, s the one at the perturbed point.
struct GradientProducts {
    double gg = 0;  ///< <g, g>, where the mix reads g
    double gs = 0;  ///< <g, s>, where the mix asks for products
    double ss = 0;  ///< <s, s>, where the mix asks for products
};

/// The gradient that the base optimizer gets: u = s s + g g + g2 g2, each letter a coefficient here and a
/// gradient there: at x + eps and at x of the first batch, and at x of the second.
struct MixWeights {
    double s = 1;
    double g = 0;
    double g2 = 0;
};

}  // namespace polder
