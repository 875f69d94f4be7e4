/// The Distance slot of Sharpness: a reference direction, and how far the gradient is from it.
#pragma once

#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include <polder/distance/direction.hpp>
#include <polder/distance/reference.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/perturb/move.hpp>
#include <polder/policy_name.hpp>
#include <polder/run/run.hpp>

namespace polder {

/// v = g - d e,   d = scale measure(g, e).
/// g is the gradient, e the reference direction. If g and d e cancel, so that ||v|| is no more than the rounding error of
/// ||g||, then v = g.
/// Xu et al. (BSAM), eq. (9) and (11).
template <class Reference, class Measure>
struct DistanceTo {
    Reference reference{};
    Measure measure{};
    double scale = 1;  ///< a factor of the distance, finite

    static std::string name() {
        return "DistanceTo<" + policy_name<Reference>() + ", " + policy_name<Measure>() + ">";
    }
    void validate() const {
        reference.validate();
        measure.validate();
        if (!std::isfinite(scale)) detail::refuse("scale", scale, "a finite number");
    }

    struct State {
        Succession e;
    };
    State init(Plan& plan) const { return {plan.succession("reference")}; }

    template <class R, class Perturb, class Reads>
    auto direction(R& run, State const& state, Gradient const& g, Perturb const& perturb,
                   Reads const& reads) const {
        using Pass = detail::DirectionTo<Perturb, Reference, Measure>;
        Pass const pass{perturb, {reference}, measure, scale};
        ArrayId const next = run.next(state.e);
        ArrayId const e = Reference::read_after_update ? next : state.e.now;
        auto const found = [&] {
            if constexpr (Reference::is_fed_direction) {
                return run.reduce(pass, g, state.e.now, reads);
            } else {
                return run.reduce(pass, g, state.e.now, Written{next}, reads);
            }
        }();
        using V = typename Pass::Found;
        run.note(detail::Note::distance, found[V::distance]);
        run.found_norm(g, found[V::gradient_norm]);
        run.note(detail::Note::perturbation_norm, found[V::length]);
        run.note(detail::Note::cosine, found[V::cosine]);

        auto along = [&] {
            auto v = (1 * g - Coefficient(found[V::d]) * e).u;
            if constexpr (Reference::is_fed_direction) {
                using Feed = Keep<detail::Average<Reference>, ArrayId, Written<ArrayId>>;
                return Direction<2, Feed>{
                    std::move(v), found[V::norm], {}, {{reference}, {e, {next}}}};
            } else {
                return Direction<2>{std::move(v), found[V::norm]};
            }
        }();
        detail::SecondLook<Perturb, Pass> const again{perturb, found};
        run.reduce_where(found[V::again], found[V::d], again, g, e, reads);
        if constexpr (detail::is_per_block<Perturb>) {
            detail::BlockNorm<Perturb> const of_block{perturb, found[V::d]};
            along.norm = run.reduce_blocks(of_block, g, e, reads)[0];
        }
        detail::count(run, perturb, along);
        return along;
    }
};
template <class Reference, class Measure>
DistanceTo(Reference, Measure, double = 1) -> DistanceTo<Reference, Measure>;

}  // namespace polder
