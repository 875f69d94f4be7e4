/// A ball of which each coordinate moves with a given probability.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/perturb/masked.hpp>
#include <polder/perturb/move.hpp>
#include <polder/policy_name.hpp>

namespace polder {

/// eps_i = (b_i / beta) eps_Ball,i,   b_i = 1 with probability beta, else 0, drawn for each coordinate in each step.
/// A draw is a function of the seed, the step and the coordinate. So it does not depend on threads, blocks or the device.
/// beta = 1 is Ball itself.
/// Du et al. 2022 (ESAM), section 3.1: stochastic weight perturbation. (ESAM also chooses samples; that is up to the closure.)
template <class Ball>
struct Stochastic : Ball {
    double beta = 0.6;       ///< the probability that a coordinate moves, in (0, 1]
    std::uint64_t seed = 0;  ///< of the draws

    static std::string name() { return "Stochastic<" + policy_name<Ball>() + ">"; }
    using Inner = Ball;
    static constexpr int layer = 1;  // around a ball alone: see detail::layers_fit
    static constexpr bool has_conditions = true;
    void validate() const {
        Ball::validate();
        require_positive("beta", beta);
        require_fraction("beta", beta);
    }

    struct State {
        MaskId drawn;
        detail::StateOf<Ball> ball;
    };
    State init(Plan& plan) const { return {plan.scratch_mask(), detail::init_of(ball(), plan)}; }
    template <class R>
    auto before(R& run, State const& state) const {
        run.fill(state.drawn, Draw{seed, beta});
        return detail::before_of(run, ball(), state.ball);
    }
    template <class R, class Before>
    auto reads(R& run, State const& state, Before const& before, ArrayId x,
               Gradient const& g) const {
        return std::tuple_cat(std::tuple{state.drawn},
                              detail::reads_of(run, ball(), state.ball, before, x, g));
    }
    template <class V, class... Read>
    POLDER_INLINE V filter(V eps, V drawn, Read...) const {
        return eps * (drawn * V(1 / beta));
    }
    template <class T>
    POLDER_HOST_DEVICE auto weights(bool adaptive) const requires detail::is_weighted<Ball> {
        auto const own = Ball::template weights<T>(adaptive);
        return detail::WithoutFirst<std::remove_const_t<decltype(own)>>{own};
    }

    // The pass. (Public, since nvcc accepts no private type in a kernel.)
    struct Draw {
        std::uint64_t seed;
        double beta;
        struct At {
            std::uint64_t seed, step;
            double beta;
            POLDER_HOST_DEVICE bool operator()(std::size_t coordinate) const {
                return detail::drawn(seed, coordinate, step) < beta;
            }
        };
        template <class T>
        POLDER_HOST_DEVICE At at(Site<T> const& here) const {
            return {seed, here.steps, beta};
        }
    };

private:
    Ball const& ball() const { return *this; }
};
template <class Ball>
Stochastic(Ball, double = 0, std::uint64_t = 0) -> Stochastic<Ball>;

}  // namespace polder
