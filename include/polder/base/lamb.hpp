/// LAMB: Adam's direction, scaled in each block to the length of the block.
#pragma once

#include <array>
#include <cmath>
#include <string_view>
#include <tuple>

#include <polder/config.hpp>
#include <polder/engine/reduction.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/pack.hpp>
#include <polder/run/descent.hpp>

namespace polder {

/// m_k = beta1 m_{k-1} + (1 - beta1) u,   v_k = beta2 v_{k-1} + (1 - beta2) u^2   (-u with maximize)
/// r = m_k / (1 - beta1^k) / (sqrt(v_k / (1 - beta2^k)) + eps) + weight_decay x
/// x_b <- x_b - learning_rate ||x_b|| / ||r_b|| r_b   in each block b
/// The ratio of the norms is 1 where either is 0, and in groups that are not adaptive (Group::adaptive).
/// You et al. 2020, Algorithm 2. State: m and v. Two passes, since the norms need m and v of this step.
struct LAMB {
    double learning_rate = 1e-3;  ///< >= 0
    double beta1 = 0.9;           ///< in [0, 1)
    double beta2 = 0.999;         ///< in [0, 1)
    double eps = 1e-6;            ///< > 0, also as the scalar of the parameters
    double weight_decay = 0.01;   ///< >= 0
    bool maximize = false;        ///< ascend instead of descend

    static constexpr std::string_view name = "LAMB";

    /// Throws std::invalid_argument that names the hyper-parameter which is out of range.
    void validate() const {
        require_non_negative("LAMB.learning_rate", learning_rate);
        require_decay("LAMB.beta1", beta1);
        require_decay("LAMB.beta2", beta2);
        require_positive("LAMB.eps", eps);
        require_non_negative("LAMB.weight_decay", weight_decay);
    }
    /// The same for parameters of scalar T.
    template <class T>
    void validate_as() const {
        require_positive_as<T>("LAMB.eps", eps);
    }

    struct State {
        Succession m, v;
        ArrayId first_moment() const { return m.now; }
    };
    State init(Plan& plan) const {
        return {plan.succession("exp_avg"), plan.succession("exp_avg_sq")};
    }

    template <class R, class Descent>
    void step(R& run, State const& state, Descent const& d) const {
        constexpr Stage stage = Descent::stage;
        bool const turns = stage == Stage::last || stage == Stage::elsewhere;
        std::array const next{turns ? run.next(state.m) : state.m.next,
                              turns ? run.next(state.v) : state.v.next};
        std::array const now = stage == Stage::again ? next : std::array{state.m.now, state.v.now};
        auto const norms = run.reduce_blocks(
            Moments<LAMB, decltype(d.update)>{*this, d.update, d.ahead},
            std::array{Written{next[0]}, Written{next[1]}}, now, d.from, d.gradients);
        std::apply(
            [&](auto const&... more) {
                Move<LAMB, decltype(d.bypass), decltype(d.extra.pass)> const move{
                    *this, d.bypass, d.extra.pass, norms[0], norms[1], d.ahead, d.rate};
                if constexpr (stage == Stage::last || stage == Stage::again) {
                    run.map_last(move, Written{d.to}, d.from, next, d.bypass_gradients, more...);
                } else {
                    run.map(move, Written{d.to}, d.from, next, d.bypass_gradients);
                }
            },
            d.extra.arguments);
    }

    // The passes. (Public, since nvcc accepts no private type in a kernel.)

    template <class T>
    struct Rule {
        T sign, beta1, gain1, beta2, gain2, correction1, correction2, eps, weight_decay;
        template <class V>
        POLDER_INLINE void advance(std::array<V, 2>& state, V u) const {
            V const h = sign * u;
            state[0] = beta1 * state[0] + gain1 * h;
            state[1] = beta2 * state[1] + gain2 * (h * h);
        }
        template <class V>
        POLDER_INLINE V direction(V x, std::array<V, 2> const& state) const {
            return state[0] / correction1 / (square_root(state[1] / correction2) + eps) +
                   weight_decay * x;
        }
    };
    template <class T>
    POLDER_HOST_DEVICE Rule<T> rule(double k) const {
        return {T(maximize ? -1 : 1),
                T(beta1),
                T(1 - beta1),
                T(beta2),
                T(1 - beta2),
                T(1 - std::pow(beta1, k)),
                T(1 - std::pow(beta2, k)),
                T(eps),
                T(weight_decay)};
    }

    // The moments of this step; x^2 and r^2.
    template <class Base, class U>
    struct Moments {
        Base base;
        U u;
        double ahead;
        template <class T, class OfU>
        struct At {
            Rule<T> rule;
            OfU u;
            template <class V, std::size_t n>
            POLDER_INLINE Terms<Sum, Sum> operator()(std::array<V, 2>& next,
                                                     std::array<V, 2> const& now, V x,
                                                     std::array<V, n> const& gradients) const {
                next = now;
                rule.advance(next, u(gradients));
                double const of_x = static_cast<double>(x),
                             of_r = static_cast<double>(rule.direction(x, next));
                return {Sum{of_x * of_x}, Sum{of_r * of_r}};
            }
        };
        template <class T>
        POLDER_HOST_DEVICE auto at(Site<T> const& here) const {
            auto const of_u = u.at(here);
            return At<T, std::remove_const_t<decltype(of_u)>>{
                here.own(base).template rule<T>(static_cast<double>(here.base_steps) + ahead + 1),
                of_u};
        }
    };
    template <class Base, class BypassOf, class Extra>
    struct Move {
        Base base;
        BypassOf bypass;
        Extra extra;
        ValueId x2, r2;  // of this block
        double ahead, factor;
        template <class T, class OfBypass, class OfExtra>
        struct At {
            static constexpr bool takes_packs = detail::takes_packs<OfExtra>;
            Rule<T> rule;
            T rate;
            OfBypass bypass;
            OfExtra extra;
            template <class V, std::size_t m, class... A>
            POLDER_INLINE void operator()(V& to, V x, std::array<V, 2> const& state,
                                          std::array<V, m> const& h, A&... more) const {
                to = bypass.off(x - rate * rule.direction(x, state), h);
                extra(more...);
            }
        };
        template <class T>
        POLDER_HOST_DEVICE auto at(Site<T> const& here) const {
            Base const own = detail::scaled(here.own(base), factor);
            double const xx = here[x2], rr = here[r2];
            double const ratio = here.adaptive() && xx > 0 && rr > 0 ? std::sqrt(xx / rr) : 1;
            auto const of_bypass = bypass.at(here, own);
            auto const of_extra = extra.at(here);
            return At<T, std::remove_const_t<decltype(of_bypass)>,
                      std::remove_const_t<decltype(of_extra)>>{
                own.template rule<T>(static_cast<double>(here.base_steps) + ahead + 1),
                T(own.learning_rate * ratio), of_bypass, of_extra};
        }
    };
};

}  // namespace polder
