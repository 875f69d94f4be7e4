/// A perturbation reached in several moves.
#pragma once

#include <string>

#include <polder/hyper_parameter.hpp>
#include <polder/policy_name.hpp>

namespace polder {

/// y_0 = x,   y_{i+1} = y_i + eps_Ball at y_i with grad L_B1(y_i),   eps = y_ascents - x.
/// One evaluation more for each ascent. Not with a Distance.
/// Foret et al. 2021, appendix (m-step); google-deepmind/optax, sam with sync_period = ascents + 1.
template <class Ball>
struct SeveralAscents {
    Ball ball{};
    int ascents = 2;  ///< >= 1; 1 is Ball itself

    static std::string name() { return "SeveralAscents<" + policy_name<Ball>() + ">"; }
    void validate() const {
        ball.validate();
        if (ascents < 1) detail::refuse("ascents", ascents, "a number >= 1");
    }
};

}  // namespace polder
