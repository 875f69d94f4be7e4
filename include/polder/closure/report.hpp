/// What one step measured.
#pragma once

#include <limits>

namespace polder {

/// The numbers of one step. All norms are Euclidean, over all coordinates. A number that the method
/// does not compute is not-a-number.
struct Report {
    static constexpr double none = std::numeric_limits<double>::quiet_NaN();

    double loss = none;               ///< L_B1(x), before the step
    double perturbed_loss = none;     ///< L_B1(x + eps)
    double mirrored_loss = none;      ///< L_B1(x'), of a Mirror
    double second_loss = none;        ///< L_B2(x), of methods with a second batch
    double gradient_norm = none;      ///< ||g||, where a pass reduces the gradient anyway
    double perturbation_norm = none;  ///< ||eps||
    double update_norm = none;        ///< ||u|| before clipping, with Clipping::norm
    double distance = none;           ///< d = Distance(g, e)
    double cosine = none;         ///< of the angle between v = g - d e and g; 1 without a distance
    double learning_rate = none;  ///< of this step: the base optimizer's times its schedule
    double rho = none;            ///< of the ball in this step, times its schedule, before groups
    int evaluations = 0;          ///< calls of the closure
    bool skipped = false;         ///< nothing was changed, see NonFinite::skip

    /// The measured sharpness, L_B1(x + eps) - L_B1(x).
    double sharpness() const noexcept { return perturbed_loss - loss; }
};

}  // namespace polder
