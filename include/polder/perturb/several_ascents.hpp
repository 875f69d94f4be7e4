/// A perturbation reached in several moves.
#pragma once

#include <string>
#include <type_traits>

#include <polder/distance/none.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/perturb/move.hpp>
#include <polder/policy_name.hpp>
#include <polder/run/sums.hpp>

namespace polder {

/// y_0 = x,   y_{i+1} = y_i + eps_Ball at y_i with grad L_B1(y_i),   eps = y_ascents - x.
/// One more evaluation for each ascent. Cannot be combined with a Distance.
/// Foret et al. 2021, appendix (m-step); google-deepmind/optax, sam with sync_period = ascents + 1.
template <class Ball>
struct SeveralAscents : Ball {
    int ascents = 2;  ///< the number of moves, >= 1; 1 is Ball itself

    static constexpr bool ascends_again = true;
    static constexpr int layer = 2;  // around a ball, or one of layer 1
    using Inner = Ball;
    static std::string name() { return "SeveralAscents<" + policy_name<Ball>() + ">"; }
    void validate() const {
        Ball::validate();
        if (ascents < 1) detail::refuse("ascents", ascents, "a number >= 1");
    }

    auto init(Plan& plan) const {
        plan.one_gradient_more();
        return detail::init_of(static_cast<Ball const&>(*this), plan);
    }
    template <class R, class State, class Before>
    void after(R& run, State const& state, Before const& before, PointId y,
               Gradient const& first) const {
        Ball const& ball = *this;
        if (ascents > 1) go_on(run, ball, state, before, y);
        detail::after(run, ball, state, before, y, first);
    }
    template <class R, class State, class Before>
    void go_on(R& run, Ball const& ball, State const& state, Before const& before,
               PointId y) const {
        if (run.eps_alone())
            run.map(detail::Displaced<detail::ReadyEps, false>{}, Written{y.array}, run.x(), y);
        auto const found = run.found();
        for (int k = 1; k < ascents; ++k) {
            run.reuse(found);
            Gradient const g = run.gradient(B1, y);
            auto const reads = detail::reads_of(run, ball, state, before, y, g);
            auto const along = NoDistance{}.direction_of(run, g, ball, reads);
            auto const pass = detail::move_of(ball, along);
            run.map(detail::Displaced<std::remove_const_t<decltype(pass)>, false>{pass},
                    Written{y.array}, y, along.v.of, reads);
        }
        run.note(detail::Note::perturbation_norm, run.reduce(Way{}, run.x(), y)[0]);
        if (run.eps_alone()) run.map(Difference{}, run.x(), Changed{y.array});
    }

    // The passes. (Public, since nvcc accepts no private type in a kernel.)

    // ||y - x||.
    struct Way : detail::RootOfSum {
        struct At {
            template <class V>
            POLDER_INLINE Terms<Sum> operator()(V x, V y) const {
                double const eps = static_cast<double>(y) - static_cast<double>(x);
                return {Sum{eps * eps}};
            }
        };
        template <class T>
        POLDER_HOST_DEVICE At at(Site<T> const&) const {
            return {};
        }
    };
    struct Difference {
        struct At {
            template <class V>
            POLDER_INLINE void operator()(V x, V& y) const {
                y = y - x;
            }
        };
        template <class T>
        POLDER_HOST_DEVICE At at(Site<T> const&) const {
            return {};
        }
    };
};
template <class Ball>
SeveralAscents(Ball, int = 0) -> SeveralAscents<Ball>;

}  // namespace polder
