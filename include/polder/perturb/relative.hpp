/// A ball whose radius is a share of the parameters' own length.
#pragma once

#include <array>
#include <cmath>
#include <string>

#include <polder/config.hpp>
#include <polder/engine/reduction.hpp>
#include <polder/perturb/move.hpp>
#include <polder/policy_name.hpp>

namespace polder {

/// eps = eps_Ball with the radius rho ||x||_2, Ball's rho being the share. A radius that suits one model is nothing to
/// another; a share suits both. over_blocks: eps_b = rho ||x_b|| v_b / ||v_b|| in each block by itself; a block of
/// zeros does not move. Otherwise the norms run over all coordinates that are not frozen.
template <class Ball, bool over_blocks = false>
struct Relative : Ball {
    static constexpr int layer = 2;  // around a ball, or one of layer 1
    using Inner = Ball;
    static std::string name() {
        return (over_blocks ? "RelativePerBlock<" : "Relative<") + policy_name<Ball>() + ">";
    }
    static constexpr bool per_block = over_blocks || detail::is_per_block<Ball>;

    template <class R, class Along, class Reads>
    void place(R& run, Array x, Point y, Along const& along, Reads const& reads) const {
        Ball const& ball = *this;
        if constexpr (over_blocks) {
            detail::move(run, x, y, ball, along, reads, run.reduce_blocks(Length{}, x)[0]);
        } else {
            detail::move(run, x, y, ball, along, reads, run.reduce(Length{}, x)[0]);
        }
    }

    // The passes. (Public, for nvcc takes no private type into a kernel.)

    // ||x||.
    struct Length {
        struct At {
            template <class V>
            POLDER_INLINE Terms<Sum> operator()(V x) const {
                double const value = static_cast<double>(x);
                return {Sum{value * value}};
            }
        };
        template <class T>
        POLDER_HOST_DEVICE At at(Site<T> const&) const {
            return {};
        }
        template <class T>
        POLDER_HOST_DEVICE std::array<double, 1> finish(std::array<double, 1> const& sums,
                                                        Site<T> const&) const {
            return {std::sqrt(sums[0])};
        }
    };
};

}  // namespace polder
