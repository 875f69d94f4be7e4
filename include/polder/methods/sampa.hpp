/// SAMPa: SAM whose two gradients do not depend on one another.
#pragma once

#include <concepts>
#include <string_view>
#include <tuple>
#include <utility>

#include <polder/concepts.hpp>
#include <polder/config.hpp>
#include <polder/distance/none.hpp>
#include <polder/family.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/optimizer.hpp>
#include <polder/perturb/euclidean_ball.hpp>

namespace polder {

/// The method of SAMPa: see there.
struct ParallelAscent {
    double rho = 0.1;           ///< radius of the ball, >= 0
    double lambda = 0.2;        ///< weight of the gradient of the next batch, in [0, 1]
    double norm_guard = 1e-12;  ///< added to the norm of the gradient that was kept, >= 0

    static constexpr std::string_view name = "ParallelAscent";
    static constexpr int batches = 2;
    void validate() const {
        require_non_negative("rho", rho);
        require_fraction("lambda", lambda);
        require_non_negative("norm_guard", norm_guard);
    }

    struct State {
        PointId up, down;
        ArrayId kept;
    };
    State init(Plan& plan) const {
        plan.gradients(2);
        plan.descends_elsewhere();
        return {plan.point(), plan.point(), plan.kept("kept")};
    }

    /// From x to x~ = x + rho g / ||g||.
    template <class R>
    Placed place(R& run, State const& state) const {
        EuclideanBall const ball{rho, norm_guard};
        Gradient g = run.method_steps() == 0 ? run.gradient(B1, run.x()) : Gradient(state.kept);
        auto const along = NoDistance{}.direction_of(run, g, ball, std::tuple{});
        detail::move(run, run.x(), state.up, ball, along, std::tuple{});
        return {std::move(g), state.up};
    }
    template <class R, class Base>
    void step(R& run, State const& state, Base const& base) const {
        auto [g, up] = place(run, state);             // x~ = x + rho g / ||g||
        base.trial(run, state.down, 1 * g);           // y = BaseOpt(x, g)
        auto s = run.gradient(B1, up, std::move(g));  // s = grad L_B1(x~)
        auto h = run.gradient(B2, state.down);        // h = grad L_B2(y)
        ArrayId const of_h = h;
        base.descend(run, keeping((1 - lambda) * std::move(s) + lambda * std::move(h),
                                  detail::CopyPass{}, Written{state.kept}, of_h));
    }
};

/// Hyper-parameters of SAMPa.
using SAMPaOptions = ParallelAscent;

/// g is the gradient that the step before has kept; in the first step g = grad L_B1(x). Each step is
///     s = grad L_B1(x + rho g / ||g||),   h = grad L_B2(BaseOpt(x, g)),
///     x <- BaseOpt(x, (1 - lambda) s + lambda h),   g <- h.
/// B2 is the batch that is B1 in the next step. s and h can be computed at the same time. BaseOpt(x, g) is a step on trial: it
/// starts from the state of the base optimizer and does not change it.
/// Xie et al. 2024; LIONS-EPFL/SAMPa. Two evaluations per step, three in the first; Report::loss, which is that at x, is
/// not-a-number after it. perturbation(): rho g / ||g||, without an evaluation after the first step.
///
///     polder::SAMPa optimizer{polder::SGD{.learning_rate = 0.1, .momentum = 0.9}, {.rho = 0.1, .lambda = 0.2}};
template <class BaseOpt>
struct SAMPa : Optimizer<ParallelAscent, BaseOpt> {
    SAMPa() requires std::default_initializable<BaseOpt> : SAMPa(BaseOpt{}) {}
    SAMPa(BaseOpt base, detail::NumberWithoutBraces) : SAMPa(base) {}
    SAMPa(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit SAMPa(BaseOpt base, SAMPaOptions options = {})
        : Optimizer<ParallelAscent, BaseOpt>(options, base) {}
};
template <class BaseOpt>
SAMPa(BaseOpt, ...) -> SAMPa<BaseOpt>;

}  // namespace polder
