/// A step down that is not undone, and a smaller step up: the mirror.
#pragma once

#include <cmath>
#include <string>
#include <utility>

#include <polder/hyper_parameter.hpp>
#include <polder/perturb/none.hpp>
#include <polder/policy_name.hpp>

namespace polder {

/// x' = BaseOpt(x, alpha1 s),   x <- BaseOpt(x', -alpha2 grad L_B(x')),
/// s = grad L_B(x + eps_Ball), or grad L_B(x) with NoPerturbation. Both are steps of the base optimizer: its
/// state, its count of steps and its weight decay act twice, with their usual sign. On steps without the
/// method (see Interval) x <- BaseOpt(x, between g). Clipping acts before the second of the two steps alone.
/// Mirror Gradient (MG), Algorithm 1, and Qrange-group/Mirror-Gradient's trainer; with a ball: SGBD, Algorithm 1.
template <class Ball = NoPerturbation>
struct Mirror {
    Ball ball{};
    double alpha1 = 1;    ///< weight of the first gradient, finite
    double alpha2 = 0.2;  ///< weight of the second, finite
    double between = 1;   ///< weight of the gradient on steps without the method, finite

    static std::string name() { return "Mirror<" + policy_name<Ball>() + ">"; }
    void validate() const {
        ball.validate();
        for (auto [what, value] : {std::pair{"alpha1", alpha1}, std::pair{"alpha2", alpha2},
                                   std::pair{"between", between}}) {
            if (!std::isfinite(value)) detail::refuse(what, value, "a finite number");
        }
    }
};

}  // namespace polder
