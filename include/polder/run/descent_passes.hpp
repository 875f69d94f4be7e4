/// The passes of a descent, which change x and the state of the base optimizer.
#pragma once

#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <polder/closure/clipping.hpp>
#include <polder/config.hpp>
#include <polder/engine/reduction.hpp>
#include <polder/pack.hpp>
#include <polder/run/blend.hpp>
#include <polder/run/site.hpp>

namespace polder {

/// Where a descent starts, where it ends, and what becomes of the base optimizer's state.
enum class Stage {
    last,       ///< from x to x: ends the step
    elsewhere,  ///< from x to a point; the new state is written to `next`
    again,      ///< from that point to x, starting from the state in `next`: ends the step
    trial       ///< from x to a point; the state stays as it is
};

namespace detail {

// u, each coordinate clipped to [-limit, limit].
template <std::size_t n>
struct Update {
    Coefficients<n> u;
    double limit = std::numeric_limits<double>::infinity();

    template <class T>
    struct At {
        Combined<T, n> combine;
        T limit;
        template <class V>
        POLDER_INLINE V operator()(std::array<V, n> const& gradients) const {
            // One comparison after the other, since GCC does not vectorise nested ones.
            V const u = combine(gradients);
            V const below = u > limit ? limit : u;
            return below < -limit ? -limit : below;
        }
        bool is_clipped() const { return limit < std::numeric_limits<T>::infinity(); }
    };
    template <class T>
    POLDER_HOST_DEVICE At<T> at(Site<T> const& here) const {
        return {u.at(here), static_cast<T>(limit)};
    }
};

template <class BaseOpt>
concept has_learning_rate = requires(BaseOpt& base) {
    { base.learning_rate } -> std::convertible_to<double>;
};

// A base optimizer with `factor` times its learning rate, which may be negative then.
template <class Base>
POLDER_HOST_DEVICE Base scaled(Base base, double factor) {
    if constexpr (requires { base.learning_rate; }) base.learning_rate *= factor;
    return base;
}

// What bypasses the moments: rate times a combination.
template <std::size_t m>
struct Bypass {
    Coefficients<m> u;
    double weight;
    template <class T>
    struct At {
        Combined<T, m> combine;
        T rate;
        template <class V>
        POLDER_INLINE V off(V x, std::array<V, m> const& gradients) const {
            return x - rate * combine(gradients);
        }
    };
    template <class T, class Base>
    POLDER_HOST_DEVICE At<T> at(Site<T> const& here, Base const& own) const {
        static_assert(has_learning_rate<Base>,
                      "polder: what bypasses the base optimizer, as in DecoupledSharpness, is "
                      "multiplied with its learning_rate, and it has none");
        return {u.at(here), saturated<T>(own.learning_rate * weight)};
    }
};
template <>
struct Bypass<0> {
    Coefficients<0> u;
    double weight;
    struct At {
        template <class V>
        POLDER_INLINE V off(V x, std::array<V, 0> const&) const {
            return x;
        }
    };
    template <class T, class Base>
    POLDER_HOST_DEVICE At at(Site<T> const&, Base const&) const {
        return {};
    }
};

// Whether a rule takes its state so that it may be a copy: what it writes would be lost.
template <class Rule, class T, std::size_t n>
inline constexpr bool takes_a_copy =
    n != 0 && std::is_invocable_v<Rule const&, T, T, std::array<T, n>>;

// The pass of a base optimizer that is a rule.
template <class Form, std::size_t n, std::size_t m, class Extra, Stage stage>
struct RuleDescent {
    static constexpr std::size_t states = std::tuple_size_v<decltype(Form::state_names)>;
    Form base;
    Update<n> u;
    Bypass<m> bypass;
    Extra extra;
    double ahead;  // descents of this step so far
    double rate;   // what the learning rate is multiplied with

    template <class Rule, class U, class P, class R, bool is_plain_ = false>
    struct At {
        static constexpr bool takes_packs = detail::takes_packs<Rule> && detail::takes_packs<R>;
        static constexpr bool penalises = requires(Rule r) { r.penalised; };
        Rule rule;
        U u;
        P bypass;
        R extra;

        // The same function with fewer operations, where hyper-parameters allow it: u is not clipped, one gradient has no
        // factor, and the rule takes u as it is. In caches it takes four fifths of the time.
        bool is_plain() const requires(penalises && !is_plain_) {
            if constexpr (n == 1) {
                if (u.combine.c[0] != 1) return false;
            }
            return !u.is_clipped() && rule.penalised.is_u();
        }
        At<Rule, U, P, R, true> plain() const requires(penalises && !is_plain_) {
            return {rule, u, bypass, extra};
        }

        template <class V>
        POLDER_INLINE V descended(V x, std::array<V, states>& state, std::array<V, n> const& g,
                                  std::array<V, m> const& h) const {
            V of_u;
            if constexpr (is_plain_ && n == 1) {
                of_u = g[0];
            } else if constexpr (is_plain_) {
                of_u = u.combine(g);
            } else if constexpr (penalises) {
                of_u = rule.penalised(x, u(g));
            } else {
                of_u = u(g);
            }
            return bypass.off(rule(x, of_u, state), h);
        }

        template <class V, class... A>  // stage last
        POLDER_INLINE void operator()(V& x, std::array<V, states>& state, std::array<V, n> const& g,
                                      std::array<V, m> const& h, A&... more) const {
            x = descended(x, state, g, h);
            extra(more...);
        }
        template <class V, class... A>  // stage again
        POLDER_INLINE void operator()(V& x, V from, std::array<V, states>& state,
                                      std::array<V, n> const& g, std::array<V, m> const& h,
                                      A&... more) const {
            x = descended(from, state, g, h);
            extra(more...);
        }
        template <class V>  // stages elsewhere and trial
        POLDER_INLINE void operator()(V& to, V from, std::array<V, states>& next,
                                      std::array<V, states> const& now, std::array<V, n> const& g,
                                      std::array<V, m> const& h) const {
            next = now;
            to = descended(from, next, g, h);
        }
    };
    template <class T>
    POLDER_HOST_DEVICE auto at(Site<T> const& here) const {
        Form const own = scaled(here.own(base), rate);
        auto const rule = own.template rule<T>(static_cast<double>(here.base_steps) + ahead + 1);
        static_assert(std::is_invocable_r_v<T, decltype(rule) const&, T, T, std::array<T, states>&>,
                      "polder: the rule of a base optimizer is called as rule(x, u, state), state "
                      "being a std::array of as "
                      "many values as state_names lists");
        static_assert(!takes_a_copy<decltype(rule), T, states>,
                      "polder: the rule of a base optimizer takes its state as std::array<V, n>&, "
                      "so that it can write it");
        auto const of_u = u.at(here);
        auto const of_bypass = bypass.at(here, own);
        auto const of_extra = extra.at(here);
        return At<std::remove_const_t<decltype(rule)>, std::remove_const_t<decltype(of_u)>,
                  std::remove_const_t<decltype(of_bypass)>,
                  std::remove_const_t<decltype(of_extra)>>{rule, of_u, of_bypass, of_extra};
    }
};

// ||u||, and the factor that clips it.
template <std::size_t n>
struct UpdateNorm {
    Coefficients<n> u;
    Clipping clipping;
    struct At {
        Combined<double, n> combine;
        template <class V>
        POLDER_HOST_DEVICE Terms<Sum> operator()(std::array<V, n> const& gradients) const {
            std::array<double, n> wide{};
            for (std::size_t k = 0; k < n; ++k) wide[k] = static_cast<double>(gradients[k]);
            double const sum = combine(wide);
            return {Sum{sum * sum}};
        }
    };
    template <class T>
    POLDER_HOST_DEVICE At at(Site<T> const& here) const {
        return {u.template in<double>(here)};
    }
    template <class T>
    POLDER_HOST_DEVICE std::array<double, 2> finish(std::array<double, 1> const& sums,
                                                    Site<T> const&) const {
        double const norm = std::sqrt(sums[0]);
        return {norm, std::isfinite(sums[0]) ? clipping.scale(norm) : sums[0]};
    }
};

}  // namespace detail

}  // namespace polder
