/// Sharpness<Perturb, Distance, Mix, BaseOpt>: the family of the papers over a base optimizer.
#pragma once

#include <concepts>
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
/// Family::step (family.hpp) is this step in code.
template <class Perturb, class Distance, class Mix, class BaseOpt>
class Sharpness : public Optimizer<Family<Perturb, Distance, Mix>, BaseOpt> {
public:
    /// Of parts with their defaults.
    Sharpness() requires std::default_initializable<BaseOpt> : Sharpness({}, {}, {}, BaseOpt{}) {}
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
