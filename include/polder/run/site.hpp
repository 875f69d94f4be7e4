/// A site: what a pass may read when it makes the function of a coordinate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include <polder/config.hpp>
#include <polder/groups/group.hpp>
#include <polder/run/handles.hpp>

namespace polder {

namespace detail {

// A coefficient as a T. A number that T does not hold becomes the largest that it holds, so that a coordinate of 0 times the
// coefficient is 0 and not not-a-number.
template <class T>
POLDER_HOST_DEVICE constexpr T saturated(double value) {
    constexpr double most = static_cast<double>(std::numeric_limits<T>::max());
    return static_cast<T>(value > most ? most : value < -most ? -most : value);
}

}  // namespace detail

/// A pass is a struct with a member at(Site<T> const&), which returns the function of a coordinate. The coefficients of
/// that function are of type T. at() is called when the pass runs: once for each group, because hyper-parameters differ
/// between groups, or once for each block if it reads a value of single blocks.
template <class T>
struct Site {
    using Scalar = T;
    double const* values;
    detail::GroupSettings const* settings;  ///< of the group
    std::uint64_t base_steps;               ///< that the base optimizer has made in the group
    std::uint64_t method_steps;             ///< that the method has made
    std::uint64_t steps;                    ///< that have changed the parameters
    std::size_t block;
    double size;     ///< coordinates: of the block, or in the sum that has been finished
    bool* by_block;  ///< set to true when a value of single blocks is read

    /// A value that a reduction has found.
    POLDER_HOST_DEVICE double operator[](ValueId v) const {
        if (v.stride != 0) *by_block = true;
        return values[static_cast<std::size_t>(v.slot) +
                      static_cast<std::size_t>(v.stride) * block];
    }
    POLDER_HOST_DEVICE double operator[](Coefficient c) const {
        return c.value.exists() ? c.factor * (*this)[c.value] : c.factor;
    }
    /// A base optimizer, or a ball, with the hyper-parameters of the group.
    template <class Base>
    POLDER_HOST_DEVICE Base own(Base const& base) const {
        return detail::for_group(base, *settings);
    }
    template <class Ball>
    POLDER_HOST_DEVICE Ball own_ball(Ball const& ball) const {
        return detail::ball_for_group(ball, *settings);
    }
    POLDER_HOST_DEVICE bool adaptive() const { return settings->adaptive; }
};

}  // namespace polder
