/// Limits of the gradient that the base optimizer gets.
#pragma once

#include <limits>

#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>

namespace polder {

/// u <- u min(1, norm / (||u||_2 + 1e-6)), and then each coordinate into [-value, value].
/// The norm runs over all coordinates (one more pass). torch.nn.utils.clip_grad_norm_ and clip_grad_value_.
struct Clipping {
    double norm = std::numeric_limits<double>::infinity();   ///< > 0; infinite: not clipped
    double value = std::numeric_limits<double>::infinity();  ///< > 0; infinite: not clipped

    /// Throws std::invalid_argument unless both are > 0.
    void validate() const {
        if (!(norm > 0)) detail::refuse("Clipping.norm", norm, "a number > 0");
        if (!(value > 0)) detail::refuse("Clipping.value", value, "a number > 0");
    }

    bool by_norm() const noexcept { return norm < std::numeric_limits<double>::infinity(); }

    /// What u is multiplied with.
    POLDER_HOST_DEVICE double scale(double update_norm) const noexcept {
        double const share = norm / (update_norm + 1e-6);
        return share < 1 ? share : 1;
    }
};

}  // namespace polder
