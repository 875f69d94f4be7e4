/// On which steps a method takes its own step, and on which the base optimizer takes one alone.
#pragma once

#include <cstdint>
#include <string>

#include <polder/hyper_parameter.hpp>

namespace polder {

/// Which of `every` steps is one of the method.
enum class Phase {
    first,  ///< t mod every = 0
    last    ///< (t + 1) mod every = 0
};

/// Of every `every` steps t = 0, 1, ... one is a step of the method: the first or the last, as `phase` says. In the others the
/// base optimizer steps with the gradient g at x (LookSAM: with g and the gradient that it has kept). Moving averages of
/// gradients do not change in those.
/// t counts the steps since the warm-up ended, or the batches of the epoch (Settings::begin_epoch).
/// SAM on every k-th step: mosaicml/composer (Phase::last); Mirror Gradient's beta: Phase::first by epoch.
struct Interval {
    std::uint64_t every = 1;          ///< >= 1
    Phase phase = Phase::first;       ///< which of `every`
    std::uint64_t warm_up = 0;        ///< steps of the base optimizer alone before any other
    bool restart_each_epoch = false;  ///< t is the batch within the epoch

    /// Throws std::invalid_argument where every is 0.
    void validate() const {
        if (every == 0) detail::refuse("Interval.every", 0, "a number >= 1");
    }

    /// Whether step `step` (counted from 0), batch `batch` of its epoch, is one of the method.
    bool active(std::uint64_t step, std::uint64_t batch) const noexcept {
        if (step < warm_up) return false;
        std::uint64_t const t = restart_each_epoch ? batch : step - warm_up;
        return (phase == Phase::first ? t : t + 1) % every == 0;
    }
};

}  // namespace polder
