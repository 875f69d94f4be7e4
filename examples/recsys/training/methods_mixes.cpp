// SAM's perturbation, its gradient mixed otherwise; and mirrors.
#include <polder/methods/gnp.hpp>
#include <polder/methods/gsam.hpp>
#include <polder/methods/looksam.hpp>
#include <polder/methods/mirror_gradient.hpp>
#include <polder/methods/wsam.hpp>

#include "recsys/training/methods.hpp"

namespace polder::recsys::detail::POLDER_METHODS_NAMESPACE {

namespace {

EuclideanBall ball(Composer& c, double rho) { return {c.number("rho", rho)}; }

template <class Reuse>
std::unique_ptr<AnyOptimizer> look(Composer& c) {
    LookSAMOptions const o;
    auto const euclidean = ball(c, o.rho);
    Interval const interval{.every = o.every};
    Reuse reuse;
    reuse.alpha = c.number("alpha", o.alpha);
    return c(euclidean, NoDistance{}, reuse, &interval);
}

template <class Mix>
std::unique_ptr<AnyOptimizer> weighted(Composer& c) {
    WSAMOptions const o;
    auto const euclidean = ball(c, o.rho);
    return c(euclidean, NoDistance{}, Mix{c.number("gamma", o.gamma)});
}

}  // namespace

std::span<Method const> methods_of_mixes() {
    static constexpr Method methods[] = {
        {"gnp", true, "SAM's eps, u = alpha s + (1 - alpha) g", "Zhao et al. 2022",
         [](Composer& c) {
             GNPOptions const o;
             auto const euclidean = ball(c, o.rho);
             SameBatch mix;
             mix.alpha = c.number("alpha", o.alpha);
             mix.normalise_clean = c.options.flag("normalise_clean", o.normalise_clean);
             return c(euclidean, NoDistance{}, mix);
         }},
        {"gsam", true, "SAM's eps, u = s - alpha (the part of g across s)",
         "Zhuang et al. 2022, Algorithm 1",
         [](Composer& c) {
             GSAMOptions const o;
             auto const euclidean = ball(c, o.rho);
             return c(euclidean, NoDistance{}, SurrogateGap{c.number("alpha", o.alpha)});
         }},
        {"wsam", false,
         "SAM's eps, u = g, and then x <- x - learning_rate a (s - g), a = gamma / (1 - gamma)",
         "Yue et al. 2023, Algorithm 1", &weighted<DecoupledSharpness>},
        {"wsam_coupled", true, "SAM's eps, u = a s + (1 - a) g, a = gamma / (1 - gamma)",
         "Yue et al. 2023", &weighted<WeightedSharpness>},
        {"looksam", false,
         "some steps are SAM's, k = s across g is kept; between them u = g + alpha |g| / |k| k",
         "Liu et al. 2022, Algorithm 1", &look<ReusedAscent>},
        {"looksam_blocks", false, "as looksam, |g| and |k| of each parameter matrix by itself",
         "pytorch_optimizer's LookSAM", &look<ReusedAscentPerBlock>},
        {"mg", false,
         "some steps: x' = BaseOpt(x, alpha1 g), x <- BaseOpt(x', -alpha2 grad L_B(x'))",
         "Zhong et al. 2024 (Mirror Gradient), Algorithm 1",
         [](Composer& c) {
             MirrorGradientOptions const o;
             Interval const interval{.every = o.beta, .phase = o.phase, .restart_each_epoch = true};
             Mirror<> mirror;
             mirror.alpha1 = c.number("alpha1", o.alpha1);
             mirror.alpha2 = c.number("alpha2", o.alpha2);
             return c(mirror, NoDistance{}, NoMix{}, &interval);
         }},
        {"sgbd", false,
         "some steps: x' = BaseOpt(x, alpha1 s), x <- BaseOpt(x', -alpha2 grad L_B(x'))",
         "Srivastava and Wu (SGBD), Algorithm 1",
         [](Composer& c) {
             SGBDOptions const o;
             Interval const interval{.every = o.beta};
             Mirror<EuclideanBall> mirror{ball(c, o.rho)};
             mirror.alpha1 = c.number("alpha1", o.alpha1);
             mirror.alpha2 = c.number("alpha2", o.alpha2);
             if (c.options.flag("literal", o.literal)) mirror.between = mirror.alpha2;
             return c(mirror, NoDistance{}, NoMix{}, &interval);
         }},
    };
    return methods;
}

}  // namespace polder::recsys::detail::POLDER_METHODS_NAMESPACE
