/// What a run has to know of its step.
#pragma once

#include <cstdint>

#include <polder/closure/clipping.hpp>
#include <polder/run/ranks.hpp>

namespace polder::detail {

// What a method asks for: so many batches, and single samples. is_step_: false where only the way to x + eps is asked for, and
// eps alone is written.
template <int batches_, bool samples_, bool is_step_ = true>
struct Asks {
    static constexpr int batches = batches_;
    static constexpr bool samples = samples_;
    static constexpr bool is_step = is_step_;
};

struct Circumstances {
    Clipping clipping;
    std::uint64_t epoch = 0;  // counted from 0
    std::uint64_t batch = 0;  // of the epoch
    std::uint64_t method_steps = 0;
    bool one_radius = true;  // all groups have the radius of the ball
    bool active = true;      // a step of the method, and not of its base optimizer alone
    double rho_factor = 1;   // of the schedule
    Ranks* ranks = nullptr;  // that make the step together
};

}  // namespace polder::detail
