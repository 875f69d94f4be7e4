/// What to do with a loss or a gradient that is infinite or not-a-number.
#pragma once

#include <stdexcept>

namespace polder {

/// Losses are checked when the closure returns, gradients in the passes that add up sums of them. The
/// gradient that the base optimizer gets is read once more and checked before anything is written. So with
/// `raise` and `skip` the parameters and all state are bit for bit what they were before the step.
///
/// There are two exceptions. One: parameters of more than 8 MiB with `raise`, for which that read would come from
/// memory. There runs of up to 128 coordinates are checked and updated while they are in the cache. When the
/// error is thrown, runs that are not finite are as they were, and the others have taken their step.
///
/// Finite gradients may still lead to a new parameter that is not finite: a learning rate of 1e30 does it in float. On the
/// CPU such a parameter keeps its value, also with `skip`, and that is an error of the step, while the others have
/// taken their step. On a device this is not looked at.
enum class NonFinite {
    raise,     ///< throw NonFiniteError (the default)
    skip,      ///< end the step, set Report::skipped, count it in skipped_steps()
    propagate  ///< check nothing, and go on with the values
};

/// A loss or a gradient was not finite. The message says which, and of which evaluation.
struct NonFiniteError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace polder
