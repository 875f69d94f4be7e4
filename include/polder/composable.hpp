/// Which policies fit together.
#pragma once

#include <polder/concepts.hpp>
#include <polder/family.hpp>
#include <polder/perturb/move.hpp>

namespace polder {

/// Whether Sharpness<Perturb, Distance, Mix, Base> is defined. A mixture that is not is refused at compile time, with a
/// sentence that says why.
template <class Perturb, class Distance, class Mix, class Base>
inline constexpr bool composable =
    perturbation<Perturb>&& distance<Distance>&& mixing<Mix>&& base_optimizer<Base>&&
    detail::layers_fit<Perturb>() &&
    detail::perturbation_fits<Perturb, Distance, Mix>&& detail::ascents_fit<Perturb, Distance> &&
    !detail::is_plus_of_plus<Mix>;

}  // namespace polder
