/// The reference direction e that a gradient is compared with: averages of past gradients.
///
/// Three conventions are in use; they differ in when e is read and in what it is fed. For one
/// coordinate:
///   MovingAverage         read after the update, from zero           (the BSAM paper)
///   LaggedAverage         read before the update, from the first g   (Friendly SAM's published
///   code) LaggedReducedAverage  as LaggedAverage, fed v instead of g       (pytorch_optimizer's
///   FriendlySAM)
#pragma once

#include <cstdint>

#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>

namespace polder {

/// e_t = lambda e_{t-1} + (1 - lambda) g_t,   e_{-1} = 0;   the distance and v use e_t.
/// Xu et al. (BSAM), Algorithm 1 and eq. (10).
struct MovingAverage {
    double lambda = 0.6;  ///< in [0, 1)

    static constexpr bool read_after_update = true;

    void validate() const { require_decay("lambda", lambda); }
    /// The weight of e_{t-1} in step t = 0, 1, ...
    double decay(std::uint64_t) const { return lambda; }
    /// What the average takes in.
    template <class T>
    static POLDER_HOST_DEVICE T feed(T g, T) {
        return g;
    }
};

/// e_t = lambda e_{t-1} + (1 - lambda) g_t,   e_0 = g_0;   the distance and v use e_{t-1}, and v_0
/// = g_0. Li et al. 2024 (Friendly SAM), as in their code.
struct LaggedAverage {
    double lambda = 0.9;  ///< in [0, 1)

    static constexpr bool read_after_update = false;

    void validate() const { require_decay("lambda", lambda); }
    /// The weight of e_{t-1}; 0 at the start, which makes e_0 = g_0.
    double decay(std::uint64_t t) const { return t == 0 ? 0 : lambda; }
    template <class T>
    static POLDER_HOST_DEVICE T feed(T g, T) {
        return g;
    }
};

/// e_t = lambda e_{t-1} + (1 - lambda) v_t,   e_0 = g_0;   the distance and v use e_{t-1}, and v_0
/// = g_0.
struct LaggedReducedAverage {
    double lambda = 0.9;  ///< in [0, 1)

    static constexpr bool read_after_update = false;

    void validate() const { require_decay("lambda", lambda); }
    double decay(std::uint64_t t) const { return t == 0 ? 0 : lambda; }
    template <class T>
    static POLDER_HOST_DEVICE T feed(T, T v) {
        return v;
    }
};

}  // namespace polder
