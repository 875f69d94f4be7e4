/// What to do with a loss or a gradient that is infinite or not-a-number.
#pragma once

#include <stdexcept>

namespace polder {

/// Losses are looked at as they come, gradients in the passes that reduce them, and the gradient that
/// the base optimizer gets in a read of its own before anything is written: with `raise` and `skip` the
/// parameters and all state are bit for bit what they were before the step.
///
/// The exception are parameters of more than 8 MiB with `raise`: a read of its own would be one more from
/// memory. Runs of up to 128 coordinates are checked and updated while they are in the cache: runs that are not
/// finite stay as they were, the others have taken their step when the error is thrown.
enum class NonFinite {
    raise,     ///< throw NonFiniteError (the default)
    skip,      ///< end the step, set Report::skipped, count it in skipped_steps()
    propagate  ///< let the values through, without looking
};

/// A loss or gradient was not finite. The message names which of the evaluations it came from.
struct NonFiniteError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace polder
