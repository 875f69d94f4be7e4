/// Mirror Gradient and SGBD: a step down, and from there a smaller step up.
#pragma once

#include <array>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include <polder/concepts.hpp>
#include <polder/distance/none.hpp>
#include <polder/family.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/mix/none.hpp>
#include <polder/optimizer.hpp>
#include <polder/perturb/euclidean_ball.hpp>
#include <polder/perturb/none.hpp>
#include <polder/policy_name.hpp>
#include <polder/run/sums.hpp>

namespace polder {

/// x' = BaseOpt(x, alpha1 s),   x <- BaseOpt(x', -alpha2 grad L_B(x')),
/// s = grad L_B(x + eps_Ball), or grad L_B(x) with NoPerturbation. Both are steps of the base optimizer: its
/// state changes twice, it counts two steps, and its weight decay acts twice, with its usual sign. On steps
/// without the method (see Interval) x <- BaseOpt(x, between g). Clipping acts only on the gradient of the second.
/// The switches are other readings of the papers.
/// Mirror Gradient (MG), Algorithm 1, and Qrange-group/Mirror-Gradient's trainer; with a ball: SGBD, Algorithm 1.
template <class Ball = NoPerturbation>
struct Mirror {
    Ball ball{};
    double alpha1 = 1;    ///< weight of the first gradient, finite
    double alpha2 = 0.2;  ///< weight of the second, finite
    double between = 1;   ///< weight of the gradient on steps without the method, finite
    /// alpha1, -alpha2 and between multiply the learning rate, and the gradients are as they are: what the base optimizer
    /// keeps of gradients does not see them. A decoupled weight decay turns with the rate of the second step.
    bool scales_rate = false;
    /// s is g / (||g||_2 + norm_guard), at x: the first step of SGBD's eq. (3), which has no ball in it.
    bool normalises = false;
    double norm_guard = 1e-12;  ///< added to ||g||, >= 0
    bool redraws = false;       ///< at x' dropout masks and the like are drawn anew (Pass::redraws)

    using Ascent = Family<Ball, NoDistance, NoMix>;
    static constexpr bool samples = Ascent::samples;
    static std::string name() { return "Mirror<" + policy_name<Ball>() + ">"; }
    void validate() const {
        ball.validate();
        for (auto [what, value] : {std::pair{"alpha1", alpha1}, std::pair{"alpha2", alpha2},
                                   std::pair{"between", between}}) {
            if (!std::isfinite(value)) detail::refuse(what, value, "a finite number");
        }
        require_non_negative("norm_guard", norm_guard);
    }

    struct State {
        typename Ascent::State ascent;
        PointId mirrored;
    };
    State init(Plan& plan) const {
        plan.descends_elsewhere();
        return {Ascent{ball}.init(plan), plan.point(Evaluation::mirrored)};
    }
    template <class R>
    Placed place(R& run, State const& state) const requires(!std::is_same_v<Ball, NoPerturbation>) {
        return Ascent{ball}.place(run, state.ascent);
    }
    template <class R, class Base>
    void step(R& run, State const& state, Base const& base) const {
        auto const weight = [&](double alpha) { return scales_rate ? 1 : alpha; };
        auto const rate = [&](double alpha) { return scales_rate ? alpha : 1; };
        auto s = normalises ? run.gradient(B1, run.x())
                            : Ascent{ball}.ascended(run, state.ascent);  // s = grad L_B(x + eps)
        auto down = weight(alpha1) * s;
        if (normalises) down.u.by[0].value = run.reduce(Share{{}, norm_guard}, s)[0];
        base.descend_elsewhere(run, state.mirrored, std::move(down),
                               rate(alpha1));  // x' = BaseOpt(x, alpha1 s)
        auto h = run.gradient(B1, state.mirrored, std::move(s), redraws);  // h = grad L_B(x')
        base.descend_again(run, state.mirrored, weight(-alpha2) * std::move(h),
                           rate(-alpha2));  // x = BaseOpt(x', -alpha2 h)
    }
    template <class R, class Base>
    void rest(R& run, State const&, Base const& base) const {
        base.descend(run, (scales_rate ? 1 : between) * run.gradient(B1, run.x()),
                     scales_rate ? between : 1);
    }

    // 1 / (||g|| + norm_guard). (Public, since nvcc accepts no private type in a kernel.)
    struct Share : detail::SumOfSquares {
        double norm_guard;
        template <class T>
        POLDER_HOST_DEVICE std::array<double, 1> finish(std::array<double, 1> const& sums,
                                                        Site<T> const&) const {
            double const norm = std::sqrt(sums[0]) + norm_guard;
            return {norm > 0 ? 1 / norm : 0};
        }
    };
};

/// Hyper-parameters of Mirror Gradient.
struct MirrorGradientOptions {
    double alpha1 = 1;       ///< weight of the first gradient
    double alpha2 = 0.2;     ///< weight of the second
    std::uint64_t beta = 3;  ///< steps from one mirror to the next, >= 1
    /// first: batches 0, beta, ... of each epoch (begin_epoch), as the authors' trainer does it;
    /// last: steps beta, 2 beta, ... counted from 1, as the paper does.
    Phase phase = Phase::first;
    bool scales_rate = false;  ///< alpha1 and alpha2 multiply the learning rate, not the gradient
    bool redraws = false;      ///< the second gradient has dropout masks of its own (Pass::redraws)
};

/// On a mirror step   x' = BaseOpt(x, alpha1 grad L_B(x)),   x <- BaseOpt(x', -alpha2 grad L_B(x'));
/// otherwise          x <- BaseOpt(x, grad L_B(x)).
/// A mirror step is two steps of the base optimizer, with its state, its count and its weight decay. With Adam, which divides
/// by the size of gradients, alpha1 and alpha2 act only through the moments. Zhong et al. 2024 (MG), Algorithm 1.
/// 1 + 1 / beta evaluations per step, all on B.
///
///     polder::MirrorGradient optimizer{polder::Adam{}, {.alpha1 = 1, .alpha2 = 0.2, .beta = 3}};
template <class BaseOpt>
struct MirrorGradient : Optimizer<Mirror<>, BaseOpt> {
    MirrorGradient() requires std::default_initializable<BaseOpt> : MirrorGradient(BaseOpt{}) {}
    MirrorGradient(BaseOpt base, detail::NumberWithoutBraces) : MirrorGradient(base) {}
    MirrorGradient(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit MirrorGradient(BaseOpt base, MirrorGradientOptions options = {})
        : Optimizer<Mirror<>, BaseOpt>({.alpha1 = options.alpha1,
                                        .alpha2 = options.alpha2,
                                        .scales_rate = options.scales_rate,
                                        .redraws = options.redraws},
                                       base) {
        this->set_interval({.every = options.beta,
                            .phase = options.phase,
                            .restart_each_epoch = options.phase == Phase::first});
    }
};
template <class BaseOpt>
MirrorGradient(BaseOpt, ...) -> MirrorGradient<BaseOpt>;

/// Hyper-parameters of SGBD.
struct SGBDOptions {
    double rho = 0.05;       ///< radius of the ball, >= 0
    double alpha1 = 1;       ///< weight of the first gradient
    double alpha2 = 0.3;     ///< weight of the second
    std::uint64_t beta = 3;  ///< steps from one mirror to the next, >= 1
    /// As printed, the steps between have the length alpha2, too; false: that of the base optimizer.
    bool literal = false;
    double norm_guard = 1e-12;  ///< added to ||g||, >= 0
    bool scales_rate = false;   ///< the alphas multiply the learning rate, not the gradient
    bool normalises = false;    ///< s is g / (||g||_2 + norm_guard), at x, as in eq. (3)
};

/// t mod beta = 0:  s = grad L_B(x + rho g / ||g||_2),
///                  x' = BaseOpt(x, alpha1 s),   x <- BaseOpt(x', -alpha2 grad L_B(x'));
/// otherwise        x <- BaseOpt(x, g), or BaseOpt(x, alpha2 g) if literal,   g = grad L_B(x).
/// t = 0, 1, ... is not reset by epochs. In the paper alpha1 and alpha2 are absolute rates: for those set the learning rate
/// to 1. SGBD, Algorithm 1. 1 + 2 / beta evaluations per step, all on B.
///
///     polder::SGBD optimizer{polder::Adam{}, {.rho = 0.05, .alpha1 = 1, .alpha2 = 0.3, .beta = 3}};
template <class BaseOpt>
struct SGBD : Optimizer<Mirror<EuclideanBall>, BaseOpt> {
    SGBD() requires std::default_initializable<BaseOpt> : SGBD(BaseOpt{}) {}
    SGBD(BaseOpt base, detail::NumberWithoutBraces) : SGBD(base) {}
    SGBD(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit SGBD(BaseOpt base, SGBDOptions options = {})
        : Optimizer<Mirror<EuclideanBall>, BaseOpt>(
              {.ball = {options.rho, options.norm_guard},
               .alpha1 = options.alpha1,
               .alpha2 = options.alpha2,
               .between = options.literal ? options.alpha2 : 1,
               .scales_rate = options.scales_rate,
               .normalises = options.normalises,
               .norm_guard = options.norm_guard},
              base) {
        this->set_interval({.every = options.beta});
    }
};
template <class BaseOpt>
SGBD(BaseOpt, ...) -> SGBD<BaseOpt>;

}  // namespace polder
