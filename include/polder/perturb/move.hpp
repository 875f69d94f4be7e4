/// From a direction v to the perturbed point: what all Perturb policies have in common.
///
/// A ball has functions of one coordinate that say how long v is and what the worst-case move is:
///
///   a norm that is a sum of squares   coefficient(norm), which is c in eps = c a v; ||v||^2 = sum of b v^2. The weights a
///                                     and b are 1, or weights<T>(adaptive).a(r...) and .b(r...), functions of the
///                                     arrays that reads() lists
///   another norm                      term(v), norm(total) and move<T>(norm, count), whose result m gives eps = m(v).
///                                     If there is count_term(v, norm), count is the sum of it
///
/// A policy around a ball is derived from the ball. A ball, or a policy around one, may also have:
///
///   init(plan)                        what it keeps, a State
///   start(run, state)                 passes for the first values of that, once
///   before(run, state)                passes and evaluations that come before g
///   reads(run, state, before, x, g)   a tuple of the arrays that the weights read; g is the gradient at x,
///                                     which is run.x() except for the later ones of several ascents
///   filter(eps, r...)                 what is left of eps, coordinate by coordinate
///   place(run, x, y, v, reads)        passes that write y = x + eps, instead of those below
///   after(run, state, before, y, g)   passes and evaluations that follow when y is there
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include <polder/closure/report.hpp>
#include <polder/config.hpp>
#include <polder/engine/reduction.hpp>
#include <polder/member_name.hpp>
#include <polder/run/blend.hpp>
#include <polder/run/handles.hpp>
#include <polder/run/run.hpp>
#include <polder/run/site.hpp>

namespace polder {

/// A direction v.
template <std::size_t n, class Extra = Keep<NoExtra>>
struct Direction {
    Combination<n> v;  ///< a combination of gradients
    ValueId norm;      ///< ||v|| in the ball's norm, over all coordinates or in each block
    ValueId count{};   ///< of balls with a count_term
    Extra
        extra{};  ///< extra work of the pass that moves x: its function gets v, and then its own arguments
};

namespace detail {

struct Nothing {};

// How policies may be nested: innermost a ball (layer 0), around it at most one policy that leaves coordinates out (layer 1:
// Masked, Stochastic), and around that at most one that changes the way to the point (layer 2: Centralised, SeveralAscents,
// Relative). In another order one of them would have no effect.
template <class P>
constexpr int layer_of() {
    if constexpr (requires { P::layer; }) {
        return P::layer;
    } else {
        return 0;
    }
}
template <class P>
constexpr bool layers_fit() {
    if constexpr (requires { typename P::Inner; }) {
        return layer_of<typename P::Inner>() < layer_of<P>() && layers_fit<typename P::Inner>();
    } else {
        return true;
    }
}

template <class P>
inline constexpr bool is_quadratic = requires(P const& p) {
    p.coefficient(1.0);
};
template <class P>
inline constexpr bool is_weighted = requires(P const& p) {
    p.template weights<double>(true);
};
template <class P>
inline constexpr bool is_per_block = requires {
    requires P::per_block;
};
template <class P>
inline constexpr bool is_counting = requires(P const& p) {
    p.count_term(1.0, 1.0);
};

template <class P>
auto init_of(P const& policy, Plan& plan) {
    if constexpr (requires { policy.init(plan); }) {
        return policy.init(plan);
    } else {
        return Nothing{};
    }
}
template <class P>
using StateOf = decltype(init_of(std::declval<P const&>(), std::declval<Plan&>()));

template <class R, class P, class State>
auto before_of(R& run, P const& perturb, State const& state) {
    if constexpr (requires { perturb.before(run, state); }) {
        return perturb.before(run, state);
    } else {
        return Nothing{};
    }
}
struct NoWeights {};
template <class T, class P>
POLDER_HOST_DEVICE auto weights_of(P const& perturb, [[maybe_unused]] bool adaptive) {
    if constexpr (is_weighted<P>) {
        return perturb.template weights<T>(adaptive);
    } else {
        return NoWeights{};
    }
}
// f(r...) for the values that a policy reads.
template <class F, class V, std::size_t k>
POLDER_INLINE auto spread(F const& f, std::array<V, k> const& reads) {
    return [&]<std::size_t... i>(std::index_sequence<i...>) POLDER_INLINE_LAMBDA {
        return f(reads[i]...);
    }
    (std::make_index_sequence<k>{});
}
// Whether a ball's weights take the values of the arrays that its reads() lists. (Concepts, since for nvcc a
// requires-expression about the parameters of a lambda, inside that lambda, is never true.)
template <class W, class... V>
concept weights_take = requires(W const& weights, V... reads) {
    weights.a(reads...);
    weights.b(reads...);
};
template <class T, std::size_t>
using OneOf = T;
template <class W, class T, std::size_t... i>
constexpr bool weights_take_all(std::index_sequence<i...>) {
    return weights_take<W, OneOf<T, i>...>;
}
template <class P, class T, std::size_t k>
constexpr bool weights_fit() {
    if constexpr (is_weighted<P>) {
        using W = decltype(std::declval<P const&>().template weights<T>(true));
        return weights_take_all<W, T>(std::make_index_sequence<k>{});
    } else {
        return true;
    }
}
// The arrays that a policy reads, one for each value of its weights and its filter. HooksFit has checked that.
template <class R, class P, class State, class Before>
auto reads_of(R& run, P const& perturb, State const& state, Before const& before, ArrayId x,
              Gradient const& g) {
    if constexpr (requires { perturb.reads(run, state, before, x, g); }) {
        return perturb.reads(run, state, before, x, g);
    } else {
        return std::tuple<>{};
    }
}

// What a policy leaves of eps. (A function, since nvcc looks for filter in a lambda even where it is not called.)
template <class P, class V, class... Read>
POLDER_INLINE V filtered_by([[maybe_unused]] P const& perturb, V eps,
                            [[maybe_unused]] Read... reads) {
    if constexpr (requires { perturb.filter(eps, reads...); }) {
        return perturb.filter(eps, reads...);
    } else {
        return eps;
    }
}
template <class W, class V, std::size_t k>
POLDER_INLINE V a_of(W const& weights, std::array<V, k> const& reads) {
    return spread([&](auto... r) POLDER_INLINE_LAMBDA { return weights.a(r...); }, reads);
}
template <class W, class V, std::size_t k>
POLDER_INLINE V b_of(W const& weights, std::array<V, k> const& reads) {
    return spread([&](auto... r) POLDER_INLINE_LAMBDA { return weights.b(r...); }, reads);
}

// The weights of a ball, when the policy around it reads an array more, which comes first.
template <class Weights>
struct WithoutFirst : Weights {
    template <class V, class... Read>
    POLDER_INLINE V a(V, Read... reads) const {
        return Weights::a(reads...);
    }
    template <class V, class... Read>
    POLDER_INLINE V b(V, Read... reads) const {
        return Weights::b(reads...);
    }
};

// What one coordinate of v adds to ||v||.
template <class P, class W, class V, std::size_t k>
POLDER_INLINE auto norm_term(P const& perturb, W const& weights, V v,
                             std::array<V, k> const& reads) {
    double const value = static_cast<double>(v);
    if constexpr (!is_quadratic<P>) {
        return perturb.term(value);
    } else if constexpr (is_weighted<P>) {
        return Sum{static_cast<double>(b_of(weights, reads)) * (value * value)};
    } else {
        return Sum{value * value};
    }
}
// ||v|| from the sum of its terms.
template <class P>
POLDER_HOST_DEVICE double norm_of_sum(P const& perturb, double sum) {
    if constexpr (is_quadratic<P>) {
        return std::sqrt(sum);
    } else {
        return perturb.norm(decltype(perturb.term(1.0)){sum});
    }
}
// ||eps||, where it follows from ||v||, for groups that have the radius of the ball; else not-a-number.
template <class P, class S>
POLDER_HOST_DEVICE double length_of([[maybe_unused]] P const& perturb, [[maybe_unused]] double norm,
                                    [[maybe_unused]] S const& here) {
    if constexpr (is_quadratic<P> && !is_weighted<P>) {
        return std::abs(here.own_ball(perturb).coefficient(norm) * norm);
    } else {
        return Report::none;
    }
}

// The sum of count_term over all coordinates.
template <class P, std::size_t n>
struct CountTerms {
    P perturb;
    Coefficients<n> v;
    ValueId norm;
    template <class T>
    struct At {
        P perturb;
        Combined<T, n> v;
        double norm;
        template <class V>
        POLDER_INLINE Terms<Sum> operator()(std::array<V, n> const& of) const {
            return {perturb.count_term(static_cast<double>(v(of)), norm)};
        }
    };
    template <class T>
    POLDER_HOST_DEVICE auto at(Site<T> const& here) const {
        return Conditional{At<T>{perturb, v.at(here), here[norm]}};
    }
};
template <class R, class P, std::size_t n, class Extra>
void count(R& run, P const& perturb, Direction<n, Extra>& along) {
    if constexpr (is_counting<P>) {
        CountTerms<P, n> const pass{perturb, {along.v.by}, along.norm};
        if constexpr (is_per_block<P>) {
            along.count = run.reduce_blocks(pass, along.v.of)[0];
        } else {
            along.count = run.reduce(pass, along.v.of)[0];
        }
    }
}

// eps.
template <class P, std::size_t n, class Extra>
struct Move {
    P perturb;
    Coefficients<n> v;
    ValueId norm, count;
    Coefficient radius;  // a factor of the radius
    Extra extra;

    template <class T, class M, class W, class OfExtra>
    struct At {
        P perturb;
        M move;  // c, or a function of v
        W weights;
        Combined<T, n> combine;
        OfExtra extra;
        template <class V, std::size_t k, class... A>
        POLDER_INLINE V operator()(std::array<V, n> const& of, std::array<V, k> const& reads,
                                   A&... more) const {
            V const v = combine(of);
            V const eps = filtered(moved(v, reads), reads);
            extra(v, more...);
            return eps;
        }

    private:
        template <class V, std::size_t k>
        POLDER_INLINE V moved(V v, [[maybe_unused]] std::array<V, k> const& reads) const {
            if constexpr (!is_quadratic<P>) {
                return move(v);
            } else if constexpr (is_weighted<P>) {
                return move * (a_of(weights, reads) * v);
            } else {
                return move * v;
            }
        }
        template <class V, std::size_t k>
        POLDER_INLINE V filtered(V eps, [[maybe_unused]] std::array<V, k> const& reads) const {
            if constexpr (k == 0) {
                return filtered_by(perturb, eps);
            } else {
                return spread([&](auto... r)
                                  POLDER_INLINE_LAMBDA { return filtered_by(perturb, eps, r...); },
                              reads);
            }
        }
    };
    template <class T>
    POLDER_HOST_DEVICE auto at(Site<T> const& here) const {
        auto own = here.own_ball(perturb);
        own.rho *= here[radius];
        auto const weights = weights_of<T>(perturb, here.adaptive());
        auto const of_extra = extra.at(here);
        auto const make = [&]<class M>(M move) {
            return At<T, M, std::remove_const_t<decltype(weights)>,
                      std::remove_const_t<decltype(of_extra)>>{perturb, move, weights, v.at(here),
                                                               of_extra};
        };
        if constexpr (is_quadratic<P>) {
            return make(saturated<T>(own.coefficient(here[norm])));
        } else {
            return make(own.template move<T>(here[norm], count.exists() ? here[count] : 0));
        }
    }
};

template <class P, std::size_t n, class F, class... A>
auto move_of(P const& perturb, Direction<n, Keep<F, A...>> const& along, Coefficient radius = {}) {
    return Move<P, n, F>{perturb, {along.v.by}, along.norm, along.count, radius, along.extra.pass};
}

// y = x + eps: the pass that all balls share.
template <class R, class P, std::size_t n, class F, class... A, class Reads>
void move(R& run, ArrayId x, PointId y, P const& perturb, Direction<n, Keep<F, A...>> const& along,
          Reads const& reads, Coefficient radius = {}) {
    run.note_radius(perturb.rho);
    auto const pass = move_of(perturb, along, radius);
    std::apply(
        [&](auto const&... more) {
            constexpr bool length_is_known = is_quadratic<P> && !is_weighted<P> &&
                                             !is_per_block<P> && std::tuple_size_v<Reads> == 0 &&
                                             !has_name<P, name::Filter>();
            if (length_is_known && run.one_radius() && !radius.value.exists()) {
                run.displace(y, x, pass, along.v.of, reads, more...);
            } else {
                constexpr bool conditional = !is_quadratic<P> || requires {
                    requires P::has_conditions;
                };
                run.note(Note::perturbation_norm, run.template displace_measured<conditional>(
                                                      y, x, pass, along.v.of, reads, more...));
            }
        },
        along.extra.arguments);
}

template <class R, class P, class Along, class Reads>
void place(R& run, ArrayId x, PointId y, P const& perturb, Along const& along, Reads const& reads) {
    if constexpr (requires { perturb.place(run, x, y, along, reads); }) {
        perturb.place(run, x, y, along, reads);
    } else {
        move(run, x, y, perturb, along, reads);
    }
}
template <class R, class P, class State, class Before>
void after(R& run, P const& perturb, State const& state, Before const& before, PointId y,
           Gradient const& g) {
    if constexpr (requires { perturb.after(run, state, before, y, g); }) {
        perturb.after(run, state, before, y, g);
    }
}

}  // namespace detail

}  // namespace polder
