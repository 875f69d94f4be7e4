/// The evaluations of a step, and what may be wrong with one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <polder/closure/non_finite.hpp>
#include <polder/config.hpp>
#include <polder/message.hpp>

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

// What was not finite in a step: a loss or a gradient of one of the evaluations, the norm of the update, or new parameters.
enum class Fault : std::uint8_t { none = 0, update_norm = 1, parameters = 14, sum_of_squares = 32 };

constexpr Fault loss_fault(Evaluation e) { return static_cast<Fault>(2 + 2 * static_cast<int>(e)); }
constexpr Fault gradient_fault(Evaluation e) {
    return static_cast<Fault>(3 + 2 * static_cast<int>(e));
}

// The fault where sums of products of a gradient are not finite. If they are infinite, the gradient may be finite.
template <std::size_t n>
POLDER_HOST_DEVICE Fault fault_of(std::array<double, n> const& sums, Fault gradient) {
    for (double const sum : sums) {
        if (sum != sum) return gradient;
    }
    if (gradient == Fault::none || gradient == Fault::update_norm) return gradient;
    return static_cast<Fault>(static_cast<int>(gradient) | static_cast<int>(Fault::sum_of_squares));
}

POLDER_COLD inline std::string to_text(Fault fault) {
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
                                     "gradient of a sample",
                                     "new value of a parameter"};
    constexpr int squares = static_cast<int>(Fault::sum_of_squares);
    int const of = static_cast<int>(fault);
    return (of & squares) != 0 ? std::string(texts[of - squares]) + ", or the sum of its squares,"
                               : texts[of];
}

[[noreturn]] POLDER_COLD inline void not_finite(std::uint64_t step, Fault fault,
                                                std::string_view where = {}) {
    POLDER_THROW NonFiniteError(text_of({"polder: step ", std::to_string(step), ": the ",
                                         to_text(fault), " is not finite", where}));
}

}  // namespace detail

}  // namespace polder
