/// The reference direction e that a gradient is compared with: averages of past gradients.
///
/// Three conventions are in use. They differ in when e is read, and in what is added to e ("fed"):
///   MovingAverage         read after the update, from zero (the BSAM paper)
///   LaggedAverage         read before the update, from the first g (Friendly SAM's published code)
///   LaggedReducedAverage  as LaggedAverage, fed v instead of g (pytorch_optimizer's FriendlySAM)
/// decay(t) is the weight of e_{t-1} in step t = 0, 1, ..., and 1 - decay(t) is the weight of what e is fed: g, or v if
/// is_fed_direction. An average that is read after its update cannot be fed v, since v depends on e.
#pragma once

#include <cstdint>
#include <string_view>

#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>

namespace polder {

/// e_t = lambda e_{t-1} + (1 - lambda) g_t,   e_{-1} = 0;   the distance and v use e_t.
/// Xu et al. (BSAM), Algorithm 1 and eq. (10).
struct MovingAverage {
    double lambda = 0.6;  ///< in [0, 1)

    static constexpr bool read_after_update = true;
    static constexpr bool is_fed_direction = false;

    static constexpr std::string_view name = "MovingAverage";
    void validate() const { require_decay("lambda", lambda); }
    /// The weight of e_{t-1} in step t = 0, 1, ...
    POLDER_HOST_DEVICE double decay(std::uint64_t) const { return lambda; }
};

/// e_t = lambda e_{t-1} + (1 - lambda) g_t,   e_0 = g_0;
/// the distance and v use e_{t-1}, and v_0 = g_0.
/// Li et al. 2024 (Friendly SAM), as in their code.
struct LaggedAverage {
    double lambda = 0.9;  ///< in [0, 1)

    static constexpr bool read_after_update = false;
    static constexpr bool is_fed_direction = false;

    static constexpr std::string_view name = "LaggedAverage";
    void validate() const { require_decay("lambda", lambda); }
    /// The weight of e_{t-1}; 0 at the start, which makes e_0 = g_0.
    POLDER_HOST_DEVICE double decay(std::uint64_t t) const { return t == 0 ? 0 : lambda; }
};

/// e_t = lambda e_{t-1} + (1 - lambda) v_t,   e_0 = g_0;
/// the distance and v use e_{t-1}, and v_0 = g_0.
/// kozistr/pytorch_optimizer's FriendlySAM.
struct LaggedReducedAverage {
    double lambda = 0.9;  ///< in [0, 1)

    static constexpr bool read_after_update = false;
    static constexpr bool is_fed_direction = true;

    static constexpr std::string_view name = "LaggedReducedAverage";
    void validate() const { require_decay("lambda", lambda); }
    POLDER_HOST_DEVICE double decay(std::uint64_t t) const { return t == 0 ? 0 : lambda; }
};

}  // namespace polder
