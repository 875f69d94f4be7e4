/// A ball whose radius is relative to the length of the parameters.
#pragma once

#include <string>

#include <polder/perturb/move.hpp>
#include <polder/policy_name.hpp>
#include <polder/run/sums.hpp>

namespace polder {

/// eps = eps_Ball with the radius rho ||x||_2, rho being that of Ball: 0.01 is one per cent of the length of x. So one rho
/// suits models of different sizes. The norm runs over all coordinates that are not frozen.
/// over_blocks: eps_b = rho ||x_b|| v_b / ||v_b|| in each block b by itself; a block of zeros does not move.
template <class Ball, bool over_blocks = false>
struct Relative : Ball {
    static constexpr int layer = 2;  // around a ball, or one of layer 1
    using Inner = Ball;
    static std::string name() {
        return (over_blocks ? "RelativePerBlock<" : "Relative<") + policy_name<Ball>() + ">";
    }
    static constexpr bool per_block = over_blocks || detail::is_per_block<Ball>;

    template <class R, class Along, class Reads>
    void place(R& run, ArrayId x, PointId y, Along const& along, Reads const& reads) const {
        Ball const& ball = *this;
        if constexpr (over_blocks) {
            detail::move(run, x, y, ball, along, reads,
                         run.reduce_blocks(detail::EuclideanLength{}, x)[0]);
        } else {
            detail::move(run, x, y, ball, along, reads,
                         run.reduce(detail::EuclideanLength{}, x)[0]);
        }
    }
};
template <class Ball>
Relative(Ball) -> Relative<Ball>;

}  // namespace polder
