/// What each slot of Sharpness asks of a policy, and a closure of its signature.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string_view>

#include <polder/closure/pass.hpp>
#include <polder/distance/distance_to.hpp>
#include <polder/engine/reduction.hpp>
#include <polder/mix/none.hpp>
#include <polder/mix/products.hpp>
#include <polder/perturb/none.hpp>

namespace polder {

/// A policy whose hyper-parameters can be checked, copied and moved.
template <class P>
concept policy = std::copyable<P> && requires(P const& p) {
    p.validate();
};

/// A ball whose shape depends on the coordinate: eps = c a v, ||v||^2 = sum of b v^2, with
/// a = weights<T>().a(x, g), b = weights<T>().b(x, g) and c = coefficient(||v||).
template <class P>
concept weighted_perturbation = policy<P> && requires(P const& p) {
    { p.coefficient(1.0) } -> std::convertible_to<double>;
    { p.template weights<float>().a(1.0f, 1.0f) } -> std::convertible_to<float>;
    { p.template weights<float>().b(1.0f, 1.0f) } -> std::convertible_to<float>;
    { p.template weights<double>().a(1.0, 1.0) } -> std::convertible_to<double>;
    { p.template weights<double>().b(1.0, 1.0) } -> std::convertible_to<double>;
};

/// eps = move(v, c) for one coordinate, c = coefficient(||v||); or a ball with weights.
template <class P>
concept perturbation = policy<P> &&
    (std::same_as<P, NoPerturbation> || weighted_perturbation<P> || requires(P const& p) {
        { p.coefficient(1.0) } -> std::convertible_to<double>;
        { P::move(1.0f, 1.0f) } -> std::convertible_to<float>;
        { P::move(1.0, 1.0) } -> std::convertible_to<double>;
    });

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

/// weights<T>()(s, g2) is the gradient that the base optimizer gets.
template <class M>
concept two_batch_mixing = policy<M> && requires(M const& m) {
    { m.template weights<float>()(1.0f, 1.0f) } -> std::convertible_to<float>;
    { m.template weights<double>()(1.0, 1.0) } -> std::convertible_to<double>;
};

/// weights<T>(products)(s, g) is the gradient that the base optimizer gets; reads_products says whether
/// gs and ss are needed, which costs a pass.
template <class M>
concept clean_mixing = policy<M> && requires(M const& m, GradientProducts const& p) {
    { M::reads_products } -> std::convertible_to<bool>;
    { m.template weights<float>(p)(1.0f, 1.0f) } -> std::convertible_to<float>;
    { m.template weights<double>(p)(1.0, 1.0) } -> std::convertible_to<double>;
};

/// NoMix, a mix of two batches, or a mix with the clean gradient of the same batch.
template <class M>
concept mixing = policy<M> &&(std::same_as<M, NoMix> || two_batch_mixing<M> || clean_mixing<M>);

/// with_update<T>(k, f) calls f with the update of one coordinate in step k: x' = update(x, u,
/// states...).
template <class B>
concept base_optimizer = policy<B> && requires(B const& b) {
    { b.state_names() } -> std::convertible_to<std::span<std::string_view const>>;
    b.template with_update<float>(std::uint64_t{1}, [](auto const&) {});
    b.template with_update<double>(std::uint64_t{1}, [](auto const&) {});
};

namespace detail {

template <class F, class P>
concept plain_closure = std::invocable<F&, P const&, P&>;
template <class F, class P>
concept pass_closure = std::invocable<F&, P const&, P&, Pass>;

}  // namespace detail

}  // namespace polder
