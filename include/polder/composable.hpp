/// Which policies fit together.
#pragma once

#include <type_traits>

#include <polder/concepts.hpp>
#include <polder/distance/none.hpp>
#include <polder/family.hpp>
#include <polder/mix/plus.hpp>
#include <polder/perturb/move.hpp>
#include <polder/perturb/none.hpp>
#include <polder/perturb/several_ascents.hpp>

namespace polder {

namespace detail {

template <class P>
inline constexpr bool ascends_again = false;
template <class Ball>
inline constexpr bool ascends_again<SeveralAscents<Ball>> = true;

template <class M>
inline constexpr bool is_plus_of_plus = false;
template <class M>
inline constexpr bool is_plus_of_plus<Plus<Plus<M>>> = true;

// A distance and a mix that reads g need an eps.
template <class P, class D, class M>
inline constexpr bool perturbation_fits =
    !std::is_same_v<P, NoPerturbation> || (std::is_same_v<D, NoDistance> && !reads_clean<M>);
// The later ascents of several follow their own gradients, of which no average is kept.
template <class P, class D>
inline constexpr bool ascents_fit = !ascends_again<P> || std::is_same_v<D, NoDistance>;

}  // namespace detail

/// Whether Sharpness<Perturb, Distance, Mix, Base> is defined. What is not is refused at compile time, in a sentence that
/// says why.
template <class Perturb, class Distance, class Mix, class Base>
inline constexpr bool composable =
    perturbation<Perturb>&& distance<Distance>&& mixing<Mix>&& base_optimizer<Base>&&
    detail::layers_fit<Perturb>() &&
    detail::perturbation_fits<Perturb, Distance, Mix>&& detail::ascents_fit<Perturb, Distance> &&
    !detail::is_plus_of_plus<Mix>;

}  // namespace polder
