/// Momentum-SAM: the perturbation comes from the base optimizer's momentum, so that a step costs one gradient.
#pragma once

#include <concepts>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>

#include <polder/concepts.hpp>
#include <polder/distance/none.hpp>
#include <polder/error.hpp>
#include <polder/family.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/optimizer.hpp>
#include <polder/perturb/euclidean_ball.hpp>

namespace polder {

/// eps = sign rho m / ||m||_2,   x <- BaseOpt(x, grad L_B(x + eps)),
/// where m is the first moment of the base optimizer before the step. In the first step m = 0, and so eps = 0.
struct MomentumAscent {
    double rho = 0.3;           ///< length of eps, >= 0
    double sign = -1;           ///< -1: along the descent, as the authors do; 1: up
    double norm_guard = 1e-12;  ///< added to ||m||, >= 0

    static constexpr std::string_view name = "MomentumAscent";
    void validate() const {
        require_non_negative("rho", rho);
        require_non_negative("norm_guard", norm_guard);
        if (sign != 1 && sign != -1) detail::refuse("sign", sign, "1 or -1");
    }
    template <class BaseOpt>
    void validate_over(BaseOpt const& base) const {
        if (!detail::has_first_moment(base)) {
            POLDER_THROW std::invalid_argument(
                "polder: Momentum-SAM needs a base optimizer with a first "
                "moment: Adam, AdamW, Lion, LAMB, or "
                "SGD or RMSprop with momentum > 0");
        }
    }

    struct State {
        PointId y;
    };
    State init(Plan& plan) const { return {plan.point()}; }

    /// From x to y = x + eps. No gradient is needed for that.
    template <class R, class Base>
    Placed place(R& run, State const& state, Base const& base) const {
        Gradient const m(base.first_moment());
        EuclideanBall const ball{sign * rho, norm_guard};
        auto const along = NoDistance{}.direction_of(run, m, ball, std::tuple{});
        detail::move(run, run.x(), state.y, ball, along, std::tuple{});
        return {{}, state.y};
    }
    template <class R, class Base>
    void step(R& run, State const& state, Base const& base) const {
        base.descend(run, run.gradient(B1, place(run, state, base).y));
    }
};

/// Hyper-parameters of Momentum-SAM.
using MomentumSAMOptions = MomentumAscent;

/// eps = -rho m / ||m||_2,   x <- BaseOpt(x, grad L_B(x + eps)), m the base optimizer's first moment (SGD's momentum
/// buffer; Adam's m, not bias-corrected). x itself is never moved by eps. Bases without a first moment are refused.
/// Becker et al. 2024; MarlonBecker/MSAM (rho 0.3 for SGD, 1 for AdamW). One evaluation per step: Report::loss, which
/// is that at x, is not-a-number. perturbation() evaluates nothing, since eps follows from m.
///
///     polder::MomentumSAM optimizer{polder::SGD{.learning_rate = 0.1, .momentum = 0.9}, {.rho = 0.3}};
template <class BaseOpt>
struct MomentumSAM : Optimizer<MomentumAscent, BaseOpt> {
    MomentumSAM() requires std::default_initializable<BaseOpt> : MomentumSAM(BaseOpt{}) {}
    MomentumSAM(BaseOpt base, detail::NumberWithoutBraces) : MomentumSAM(base) {}
    MomentumSAM(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit MomentumSAM(BaseOpt base, MomentumSAMOptions options = {})
        : Optimizer<MomentumAscent, BaseOpt>(options, base) {}
};
template <class BaseOpt>
MomentumSAM(BaseOpt, ...) -> MomentumSAM<BaseOpt>;

}  // namespace polder
