/// What a composed method needs, read off its policies at compile time.
#pragma once

#include <type_traits>

#include <polder/concepts.hpp>
#include <polder/perturb/fisher_ball.hpp>
#include <polder/perturb/masked.hpp>

namespace polder::detail {

// The ball inside the policies around it.
template <class P>
constexpr auto& ball_of(P& perturb) {
    if constexpr (requires { perturb.ball; }) {
        return ball_of(perturb.ball);
    } else {
        return perturb;
    }
}

// The layer of a Perturb policy for which Has holds, or nullptr.
template <template <class> class Has, class P>
constexpr auto* layer(P& perturb) {
    if constexpr (Has<std::remove_const_t<P>>::value) {
        return &perturb;
    } else if constexpr (requires { perturb.ball; }) {
        return layer<Has>(perturb.ball);
    } else {
        return static_cast<std::nullptr_t*>(nullptr);
    }
}

template <class P>
using HasMask = std::bool_constant < requires(P& p) {
    p.mask;
}
> ;
template <class P>
using HasAscents = std::bool_constant < requires(P& p) {
    p.ascents;
}
> ;
template <class P>
using Centralises = std::bool_constant < requires {
    requires P::centralises;
}
> ;
template <class P>
using Mirrors = std::bool_constant < requires(P& p) {
    p.alpha1;
    p.alpha2;
}
> ;

template <template <class> class Has, class P>
inline constexpr bool has_layer =
    !std::is_same_v<decltype(layer<Has>(std::declval<P&>())), std::nullptr_t*>;

template <class Ball>
inline constexpr bool keeps_fisher = false;
template <class Estimate, class Norm>
inline constexpr bool keeps_fisher<FisherBall<Estimate, Norm>> =
    !std::is_same_v<Estimate, BatchFisher>;

template <class Perturb>
struct PerturbFeatures {
    using Ball = std::remove_cvref_t<decltype(ball_of(std::declval<Perturb&>()))>;

    static constexpr bool mirrors = has_layer<Mirrors, Perturb>;
    // Whether there is an eps: not so for the base optimizer alone, and for the mirror of MG.
    static constexpr bool perturbs = !std::is_same_v<Ball, NoPerturbation>;
    static constexpr bool quadratic = quadratic_ball<Ball>;
    static constexpr bool weighted = requires(Ball const& b) { b.template weights<double>(true); };
    static constexpr bool per_block = requires { requires Ball::per_block; };
    static constexpr bool counts_largest = requires { requires Ball::counts_largest; };
    static constexpr bool fisher = keeps_fisher<Ball>;
    static constexpr bool masked = has_layer<HasMask, Perturb>;
    static constexpr bool centralises = has_layer<Centralises, Perturb>;
    static constexpr bool several_ascents = has_layer<HasAscents, Perturb>;
    // Whether ||v||^2 is the sum of v^2.
    static constexpr bool euclidean = quadratic && !weighted;
    // Whether the norm of v is known from the inner products of g and e.
    static constexpr bool norm_from_products = quadratic && !per_block;

    static constexpr bool reads_parameters = [] {
        if constexpr (weighted) {
            return Ball::reads_parameters;
        } else {
            return false;
        }
    }();
    // Whether the Euclidean norm of eps is not simply coefficient times norm.
    static constexpr bool measures_move =
        weighted || !quadratic || masked || per_block || centralises;

    template <class Policy>
    static constexpr bool has_mask = [] {
        if constexpr (masked) {
            return std::is_same_v<
                std::remove_cvref_t<decltype(layer<HasMask>(std::declval<Perturb&>())->mask)>,
                Policy>;
        } else {
            return false;
        }
    }();
    template <class Policy>
    static constexpr bool estimates = [] {
        if constexpr (fisher) {
            return std::is_same_v<decltype(Ball::estimate), Policy>;
        } else {
            return false;
        }
    }();
};

template <class Mix>
struct MixFeatures {
    static constexpr bool clean = requires { requires Mix::reads_clean; };
    static constexpr bool second = requires { requires Mix::reads_second; };
    static constexpr bool products = requires { requires Mix::reads_products; };
    static constexpr bool reuses = requires { requires Mix::reuses; };
    static constexpr bool decoupled = requires(Mix const& m) { m.decoupled(); };
    static constexpr int gradients = 1 + (clean ? 1 : 0) + (second ? 1 : 0);
};

}  // namespace polder::detail
