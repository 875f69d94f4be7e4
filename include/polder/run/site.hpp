/// Where a pass makes the function of a coordinate: in one block, with the numbers of the step.
#pragma once

#include <cstddef>
#include <cstdint>

#include <polder/config.hpp>
#include <polder/groups/group.hpp>
#include <polder/run/handles.hpp>

namespace polder {

/// The functions of a pass differ from group to group, and where they read a value of single blocks, from block to
/// block. A pass is a struct with a member at(Site<T> const&) that returns the function of a coordinate, whose
/// coefficients are of type T. It is called where the pass runs, once for a group or a block.
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
    bool* by_block;  ///< set where a value of single blocks was read

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
