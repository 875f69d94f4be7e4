/// Which policies fit together.
#pragma once

#include <type_traits>
#include <utility>

#include <polder/concepts.hpp>
#include <polder/family.hpp>
#include <polder/run/fits.hpp>
#include <polder/run/specimen.hpp>

namespace polder {

namespace detail {

template <class Mix>
inline constexpr bool blends_s = requires(Mix const& mix, SpecimenRun& run, Gradient s) {
    mix.blend(run, std::move(s));
};
template <class Mix>
inline constexpr bool blends_both = requires(Mix const& mix, SpecimenRun& run, Gradient s,
                                             Gradient g) {
    mix.blend(run, std::move(s), std::move(g));
};
template <std::size_t n, std::size_t m, class Extra>
std::bool_constant<(m > 0)> bypasses(Blend<n, m, Extra> const&);

// Whether blend is called as it is written, and what bypasses the base optimizer has a learning rate.
template <class Mix, class Base>
constexpr bool blend_fits() {
    if constexpr (!(reads_clean<Mix> ? blends_both<Mix> : blends_s<Mix>)) {
        return false;
    } else {
        using U = decltype(blend(std::declval<SpecimenRun&>(), std::declval<Mix const&>(),
                                 std::declval<Gradient>(), std::declval<Gradient>()));
        return !decltype(bypasses(std::declval<U>()))::value || has_learning_rate<Base>;
    }
}
template <class P, class D, class M, class Base>
constexpr bool composes() {
    if constexpr (!compose<P, D, M>() || fault_of_base<Base>() != BaseFault::none) {
        return false;
    } else {
        return blend_fits<M, Base>();
    }
}

}  // namespace detail

/// Whether Sharpness<Perturb, Distance, Mix, Base> is defined. A mixture that is not is refused at compile time, with a
/// sentence that says why.
template <class Perturb, class Distance, class Mix, class Base>
inline constexpr bool composable = detail::composes<Perturb, Distance, Mix, Base>();

}  // namespace polder
