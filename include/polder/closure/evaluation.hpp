/// The evaluations of a step, and what may be wrong with one.
#pragma once

#include <cstdint>

#include <polder/config.hpp>

namespace polder {

/// What an evaluation of the closure is for: in reports and error messages.
enum class Evaluation : std::uint8_t {
    clean,      ///< of the first batch at x
    perturbed,  ///< of the first batch at x + eps
    mirrored,   ///< of the first batch at x', the point after the first half of a mirror step
    second,     ///< of the second batch
    third,      ///< of the third batch
    sample      ///< of a single sample at x
};

namespace detail {

inline constexpr int evaluations = 6;

// What was not finite in a step: a loss or a gradient of one of the evaluations, or the norm of the update.
enum class Fault : std::uint8_t { none = 0, update_norm = 1 };

constexpr Fault loss_fault(Evaluation e) { return static_cast<Fault>(2 + 2 * static_cast<int>(e)); }
constexpr Fault gradient_fault(Evaluation e) {
    return static_cast<Fault>(3 + 2 * static_cast<int>(e));
}

constexpr char const* to_text(Fault fault) noexcept {
    constexpr char const* texts[] = {"",
                                     "norm of the gradient",
                                     "loss",
                                     "gradient",
                                     "loss at the perturbed point",
                                     "gradient at the perturbed point",
                                     "loss after the first half step",
                                     "gradient after the first half step",
                                     "loss of the second batch",
                                     "gradient of the second batch",
                                     "loss of the third batch",
                                     "gradient of the third batch",
                                     "loss of a sample",
                                     "gradient of a sample"};
    return texts[static_cast<int>(fault)];
}

}  // namespace detail

}  // namespace polder
