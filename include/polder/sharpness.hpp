/// Sharpness<Perturb, Distance, Mix, BaseOpt>: the family of the papers over a base optimizer.
#pragma once

#include <utility>

#include <polder/composable.hpp>
#include <polder/concepts.hpp>
#include <polder/distance/distance_to.hpp>
#include <polder/distance/none.hpp>
#include <polder/family.hpp>
#include <polder/mix/none.hpp>
#include <polder/optimizer.hpp>
#include <polder/perturb/none.hpp>

namespace polder {

/// The step that all methods of the family share, at parameters x, with batches B1 and, where Mix wants it, B2:
///
///     g   = grad L_B1(x)
///     e   = average of gradients                  (only if Distance keeps one)
///     v   = g - d e,   d = Distance(g, e)
///     eps = Perturb(v)
///     s   = grad L_B1(x + eps)
///     u   = Mix(s, g, grad L_B2(x))
///     x   = BaseOpt(x, u)
///
/// Family::update (family.hpp) is its text.
template <class Perturb, class Distance, class Mix, class BaseOpt>
class Sharpness : public Optimizer<Family<Perturb, Distance, Mix>, BaseOpt> {
    static_assert(perturbation<Perturb>, "polder: Perturb is a ball with validate() and "
                                         "coefficient(norm), or term, norm and move, or "
                                         "a policy derived from one; see docs/writing_a_method.md");
    static_assert(
        distance<Distance>,
        "polder: Distance is NoDistance or DistanceTo<Reference, Measure>, whose Measure needs "
        "validate(), distance(...) and, for a reduction of its own, term(g, e); or it has "
        "direction(run, state, g, perturb, reads); see docs/writing_a_method.md");
    static_assert(
        mixing<Mix>,
        "polder: Mix needs validate() and blend(run, s), or blend(run, s, g) and reads_clean; see "
        "docs/writing_a_method.md");
    static_assert(detail::layers_fit<Perturb>(), "polder: Masked and Stochastic go around a ball, "
                                                 "and Centralised, SeveralAscents and Relative "
                                                 "around a ball or one of these two");
    static_assert(
        detail::perturbation_fits<Perturb, Distance, Mix>,
        "polder: a Distance, and a Mix that reads the clean gradient, need a perturbation");
    static_assert(detail::ascents_fit<Perturb, Distance>,
                  "polder: SeveralAscents takes NoDistance");
    static_assert(!detail::is_plus_of_plus<Mix>,
                  "polder: a mix takes one second batch, and not two");

public:
    /// Throws std::invalid_argument that names the hyper-parameter which is out of range, its value
    /// and the range.
    Sharpness(Perturb perturb, Distance distance, Mix mix, BaseOpt base)
        : Optimizer<Family<Perturb, Distance, Mix>, BaseOpt>(
              {std::move(perturb), std::move(distance), std::move(mix)}, std::move(base)) {}

    /// The policies. A hyper-parameter may be changed between steps.
    Perturb& perturb() noexcept { return this->policy().perturb; }
    Perturb const& perturb() const noexcept { return this->policy().perturb; }
    Distance& distance() noexcept { return this->policy().distance; }
    Distance const& distance() const noexcept { return this->policy().distance; }
    Mix& mix() noexcept { return this->policy().mix; }
    Mix const& mix() const noexcept { return this->policy().mix; }
};

}  // namespace polder
