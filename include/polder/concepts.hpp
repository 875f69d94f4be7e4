/// What each slot of Sharpness asks of a policy, and a closure of its signature.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string_view>

#include <polder/closure/pass.hpp>
#include <polder/config.hpp>
#include <polder/distance/distance_to.hpp>
#include <polder/engine/reduction.hpp>
#include <polder/mix/weights.hpp>
#include <polder/perturb/none.hpp>

namespace polder {

/// A policy whose hyper-parameters can be checked, copied and moved.
template <class P>
concept policy = std::copyable<P> && requires(P const& p) {
    p.validate();
};

/// A ball of a norm that is a sum of squares: eps = c a v, ||v||^2 = sum of b v^2, c = coefficient(||v||). a and
/// b are 1, or weights<T>(adaptive).a(x, g) and .b(x, g) of each coordinate (x is read where the ball's
/// reads_parameters says so; a ball with a Fisher estimate gets f as well).
template <class P>
concept quadratic_ball = policy<P> && requires(P const& p) {
    { p.coefficient(1.0) } -> std::convertible_to<double>;
};

/// A ball of another norm: ||v|| = norm(the fold of term(v)), eps = move<T>(||v||, count)(v), the count being
/// that of the largest |v| where the ball's counts_largest asks for it.
template <class P>
concept norm_ball = policy<P> && requires(P const& p) {
    { p.norm(p.term(1.0)) } -> std::convertible_to<double>;
    { p.template move<float>(1.0, 1.0)(1.0f) } -> std::convertible_to<float>;
    { p.template move<double>(1.0, 1.0)(1.0) } -> std::convertible_to<double>;
};

namespace detail {

template <class P>
constexpr bool is_perturbation();

}  // namespace detail

/// NoPerturbation, a ball, or a policy around one, which it holds as `ball`.
template <class P>
concept perturbation = policy<P> && detail::is_perturbation<P>();

namespace detail {

template <class P>
constexpr bool is_perturbation() {
    if constexpr (requires(P const& p) { p.ball; }) {
        return perturbation<decltype(P::ball)>;
    } else {
        return std::same_as<P, NoPerturbation> || quadratic_ball<P> || norm_ball<P>;
    }
}

}  // namespace detail

/// d from inner products alone.
template <class M>
concept measure_of_products = policy<M> && requires(M const& m, InnerProducts const& p) {
    { m.distance(p) } -> std::convertible_to<double>;
};

/// d from inner products and a reduction of its own: term(g, e) of one coordinate is a Sum or a
/// Max.
template <class M>
concept measure_of_terms = policy<M> && requires(M const& m, InnerProducts const& p) {
    { m.distance(m.term(1.0, 1.0), p) } -> std::convertible_to<double>;
};

/// How e moves: decay(t) is its weight in step t = 0, 1, ...; e takes in g, or v if is_fed_direction.
template <class R>
concept reference_direction = policy<R> && requires(R const& r) {
    { r.decay(std::uint64_t{0}) } -> std::convertible_to<double>;
    { R::read_after_update } -> std::convertible_to<bool>;
    requires !(R::read_after_update && R::is_fed_direction);
};

namespace detail {

template <class D>
inline constexpr bool is_distance_to = false;
template <class R, class M>
inline constexpr bool is_distance_to<DistanceTo<R, M>> = reference_direction<R> &&
                                                         (measure_of_products<M> ||
                                                          measure_of_terms<M>);

}  // namespace detail

/// NoDistance, or DistanceTo<Reference, Measure>.
template <class D>
concept distance = policy<D> &&(std::same_as<D, NoDistance> || detail::is_distance_to<D>);

/// The coefficients of the gradients that make u. What the mix reads besides s is said by its static members
/// reads_clean (g), reads_second (g2) and reads_products (sums of g and s, which cost a pass).
template <class M>
concept mixing = policy<M> && requires(M const& m, GradientProducts const& p) {
    { m.weights(p) } -> std::convertible_to<MixWeights>;
};

namespace detail {

// (A lambda would do, but nvcc 13 finds no concept fulfilled that has one.)
struct TakeAnyUpdate {
    template <class Update>
    POLDER_HOST_DEVICE void operator()(Update const&) const {}
};

}  // namespace detail

/// with_update<T>(k, f) calls f with the update of one coordinate in step k: x' = update(x, u,
/// states...).
template <class B>
concept base_optimizer = policy<B> && requires(B const& b) {
    { b.state_names() } -> std::convertible_to<std::span<std::string_view const>>;
    b.template with_update<float>(std::uint64_t{1}, detail::TakeAnyUpdate{});
    b.template with_update<double>(std::uint64_t{1}, detail::TakeAnyUpdate{});
};

namespace detail {

template <class F, class P>
concept plain_closure = std::invocable<F&, P const&, P&>;
template <class F, class P>
concept pass_closure = std::invocable<F&, P const&, P&, Pass>;

}  // namespace detail

}  // namespace polder
