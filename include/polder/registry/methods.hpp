/// The methods by name: what each is, its options, and how it is made of them. A new method is one entry here, and a row and a
/// page in docs; then tests, golden and programs have it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <polder/polder.hpp>
#include <polder/registry/options.hpp>

namespace polder::registry {

/// What lists say of a method. g = grad L_B(x), s = grad L_B(x + eps).
struct MethodEntry {
    std::string_view name;      ///< as programs call it
    std::string_view title;     ///< as docs/methods.md calls it
    std::string_view equation;  ///< eps and u
    std::string_view source;
};

/// What a method has around it by default.
struct Surroundings {
    std::optional<Interval> interval{};  ///< on which steps the method's own step is taken
    std::string exempt{};  ///< names of blocks that its ball does not scale, separated by ;
};

/// The mixed loss of two batches: what method+ is.
template <class P, class D, class M>
Family<P, D, Plus<M>> plus(Family<P, D, M> method, double kappa) {
    return {std::move(method.perturb), std::move(method.distance), {kappa, std::move(method.mix)}};
}
template <class Method>
Plus<Method> plus(Method method, double kappa) {
    return {kappa, std::move(method)};
}
/// Whether a method has a form with the mixed loss: its result is a blend of gradients, of one batch.
template <class Method>
inline constexpr bool has_plus = false;
template <class P, class D, class M>
inline constexpr bool has_plus<Family<P, D, M>> = true;
template <class P, class Reuse>
inline constexpr bool has_plus<LookingAscent<P, Reuse>> = true;
template <>
inline constexpr bool has_plus<MomentumAscent> = true;

namespace detail {

template <class P, class D = NoDistance, class M = NoMix>
Family<P, D, M> family(P perturb, D distance = {}, M mix = {}) {
    return {std::move(perturb), std::move(distance), std::move(mix)};
}

// The radius and the guard of a ball, as options.
template <class Ball, class Options>
Ball ball(Options& o, double rho, double guard = 1e-12) {
    Ball b{};
    b.rho = o.number("rho", rho);
    b.norm_guard = o.number("norm_guard", guard);
    return b;
}
// use(ball), or the ball with its radius relative to the norm of all parameters.
template <class Options, class Ball, class Use>
void relative(Options& o, Ball const& ball, Use const& use) {
    if (o.choice("relative", {"none", "all"}) == 0) return use(ball);
    use(Relative<Ball>{ball});
}

template <class Estimate, class Norm, class Options>
FisherBall<Estimate, Norm> fisher(Options& o, Estimate estimate) {
    FisherSAMOptions const d;
    auto b = ball<FisherBall<Estimate, Norm>>(o, d.rho, d.norm_guard);
    b.eta = o.number("eta", d.eta);
    b.damping = o.number("damping", d.damping);
    b.estimate = std::move(estimate);
    return b;
}
template <class Options>
int whole(Options& o, std::string_view name, int by_default) {
    return static_cast<int>(o.whole(name, static_cast<std::uint64_t>(by_default)));
}
template <class Mask, class Options>
auto masked(Options& o, Mask mask) {
    SSAMOptions const d;
    mask.sparsity = o.number("sparsity", mask.sparsity);
    mask.refresh_epochs = o.whole("refresh_epochs", mask.refresh_epochs);
    return family(Masked<EuclideanBall, Mask>{ball<EuclideanBall>(o, d.rho, d.norm_guard), mask});
}
template <class Reference, class Options>
auto friendly(Options& o) {
    FSAMOptions const d;
    auto const b = ball<EuclideanBall>(o, d.rho);
    Reference reference;
    reference.lambda = o.number("lambda", d.lambda);
    return family(b, DistanceTo<Reference, Constant>{reference, {o.number("sigma", d.sigma)}});
}
template <class Options, class Use>
void batch_focused(Options& o, Use const& use) {
    BSAMOptions const d;
    auto const euclidean = ball<EuclideanBall>(o, d.rho);
    MovingAverage const average{o.number("lambda", d.lambda)};
    double const scale = o.number("scale", 1);
    auto const with = [&]<class Measure>(Measure measure) {
        relative(o, euclidean, [&](auto const& b) {
            use(family(b, DistanceTo<MovingAverage, Measure>{average, measure, scale}));
        });
    };
    switch (o.choice("distance", {"cosine", "manhattan", "manhattan_mean", "euclidean", "chebyshev",
                                  "projection", "similarity", "constant", "none"})) {
    case 0:
        return with(Cosine{});
    case 1:
        return with(Manhattan{});
    case 2:
        return with(ManhattanMean{});
    case 3:
        return with(Euclidean{});
    case 4:
        return with(Chebyshev{});
    case 5:
        return with(Projection{});
    case 6:
        return with(Similarity{});
    case 7:
        return with(Constant{o.number("sigma", Constant{}.sigma)});
    default:
        average.validate();
        return use(family(euclidean));
    }
}
// The weights of a mirror.
template <class Mirror, class Options, class Defaults>
void weights(Mirror& mirror, Options& o, Defaults const& d) {
    mirror.alpha1 = o.number("alpha1", d.alpha1);
    mirror.alpha2 = o.number("alpha2", d.alpha2);
    mirror.scales_rate = o.choice("alphas", {"gradient", "rate"}) == 1;
}
template <class Reuse, class Options, class Use>
void looking(Options& o, Use const& use) {
    LookSAMOptions const d;
    LookingAscent<EuclideanBall, Reuse> method;
    method.ascent.perturb = ball<EuclideanBall>(o, d.rho, d.norm_guard);
    method.reuse.alpha = o.number("alpha", d.alpha);
    use(method, Surroundings{.interval = Interval{.every = d.every}});
}

}  // namespace detail

/// SAM, its ball exchanged for another, and what comes before it: calls f(entry, make) for each. make(options, use) reads the
/// options and calls use(method), or use(method, surroundings).
template <class F>
void for_each_ball(F&& f) {
    using namespace detail;
    f(MethodEntry{"none", "plain", "u = g: the base optimizer alone", ""},
      [](auto&, auto const& use) { use(family(NoPerturbation{})); });
    f(MethodEntry{"sam", "SAM", "eps = rho g / |g|_2, u = s", "Foret et al. 2021, Algorithm 1"},
      [](auto& o, auto const& use) { use(family(ball<EuclideanBall>(o, SAMOptions{}.rho))); });
    f(MethodEntry{"sam_relative", "SAM relative", "eps = rho |x|_2 g / |g|_2, u = s",
                  "Foret et al. 2021"},
      [](auto& o, auto const& use) {
          use(family(Relative<EuclideanBall>{ball<EuclideanBall>(o, 0.01)}));
      });
    f(MethodEntry{"sam_relative_blocks", "SAM relative per block",
                  "eps = rho |x|_2 g / |g|_2 in each parameter matrix by itself, u = s",
                  "Foret et al. 2021"},
      [](auto& o, auto const& use) {
          use(family(Relative<EuclideanBall, true>{ball<EuclideanBall>(o, 0.01)}));
      });
    f(MethodEntry{"sam_linf", "SAM in the infinity ball", "eps = rho sign g, u = s",
                  "Foret et al. 2021, eq. (2), p = inf"},
      [](auto& o, auto const& use) {
          use(family(InfinityBall{o.number("rho", InfinityBall{}.rho)}));
      });
    f(MethodEntry{"sam_l1", "SAM in the Manhattan ball",
                  "eps = rho on the largest |g| alone, u = s", "Foret et al. 2021, eq. (2), p = 1"},
      [](auto& o, auto const& use) {
          use(family(ManhattanBall{o.number("rho", ManhattanBall{}.rho)}));
      });
    f(MethodEntry{"sam_lp", "SAM in the ball of p = 3",
                  "eps = rho sign g |g|^(q-1) / |g|_q^(q-1), 1/p + 1/q = 1, u = s",
                  "Foret et al. 2021, eq. (2)"},
      [](auto& o, auto const& use) {
          auto b = ball<PNormBall>(o, PNormBall{}.rho);
          b.p = o.number("p", 3);
          use(family(b));
      });
    f(MethodEntry{"sam_centralised", "SAM centralised",
                  "eps = SAM's without its mean over rows, u = s", "Yong et al. 2020"},
      [](auto& o, auto const& use) {
          use(family(Centralised<EuclideanBall>{ball<EuclideanBall>(o, SAMOptions{}.rho)}));
      });
    f(MethodEntry{"sam_ascents", "SAM in two ascents",
                  "eps in several ascents, each rho g / |g|_2 at the point reached, u = s",
                  "Foret et al. 2021, appendix"},
      [](auto& o, auto const& use) {
          SeveralAscents<EuclideanBall> steps{ball<EuclideanBall>(o, SAMOptions{}.rho)};
          steps.ascents = whole(o, "ascents", steps.ascents);
          use(family(steps));
      });
}

/// Balls that scale with the parameters or with the Fisher metric, and those of which only part moves.
template <class F>
void for_each_metric(F&& f) {
    using namespace detail;
    f(
        MethodEntry{
            "asam", "ASAM",
            "eps = rho T^2 g / |T g|_2, T = |x| + eta (1 in the blocks that are exempt), u = s",
            "Kwon et al. 2021, Algorithm 1"},
        [](auto& o, auto const& use) {
            ASAMOptions const d;
            auto b = ball<AdaptiveBall>(o, d.rho, d.norm_guard);
            b.eta = o.number("eta", d.eta);
            auto const exempt = o.text("exempt", "");
            relative(o, b,
                     [&](auto const& of) { use(family(of), Surroundings{.exempt = exempt}); });
        });
    f(MethodEntry{"fisher_sam", "FisherSAM",
                  "eps = rho F^-1 g / sqrt(g' F^-1 g), F = damping + eta g^2, u = s",
                  "Kim et al. 2022"},
      [](auto& o, auto const& use) {
          auto const b = fisher<BatchFisher, MetricNorm>(o, BatchFisher{});
          auto const exempt = o.text("exempt", "");
          relative(o, b, [&](auto const& of) { use(family(of), Surroundings{.exempt = exempt}); });
      });
    f(MethodEntry{"fisher_sam_running", "FisherSAM running",
                  "as fisher_sam, F of a moving average of g^2", "Kim et al. 2022"},
      [](auto& o, auto const& use) {
          RunningFisher estimate;
          estimate.decay = o.number("decay", estimate.decay);
          auto const b = fisher<RunningFisher, MetricNorm>(o, estimate);
          use(family(b), Surroundings{.exempt = o.text("exempt", "")});
      });
    f(
        MethodEntry{
            "fisher_sam_samples", "FisherSAM of samples",
            "as fisher_sam, F of the mean of the squared gradients of single rows of the batch",
            "Kim et al. 2022"},
        [](auto& o, auto const& use) {
            SampleFisher estimate;
            estimate.samples = whole(o, "samples", 3);
            auto const b = fisher<SampleFisher, MetricNorm>(o, estimate);
            use(family(b), Surroundings{.exempt = o.text("exempt", "")});
        });
    f(MethodEntry{"fisher_sam_blocks", "FisherSAM per block",
                  "as fisher_sam, the root over each parameter matrix by itself",
                  "Kim et al. 2022, as a public implementation has it"},
      [](auto& o, auto const& use) {
          auto const b = fisher<BatchFisher, MetricNormPerBlock>(o, BatchFisher{});
          use(family(b), Surroundings{.exempt = o.text("exempt", "")});
      });
    f(MethodEntry{"fisher_sam_euclidean", "FisherSAM of Euclidean length",
                  "eps = rho w / |w|_2, w = F^-1 g, u = s",
                  "Kim et al. 2022, as a public implementation has it"},
      [](auto& o, auto const& use) {
          auto const b = fisher<BatchFisher, EuclideanNorm>(o, BatchFisher{});
          use(family(b), Surroundings{.exempt = o.text("exempt", "")});
      });
    f(MethodEntry{"ssam_f", "SSAM-F",
                  "eps = SAM's where the squared gradients of single rows are largest, 0 "
                  "elsewhere, u = s",
                  "Mi et al. 2022, SSAM-F"},
      [](auto& o, auto const& use) {
          FisherMask mask;
          mask.samples = whole(o, "samples", mask.samples);
          use(masked(o, mask));
      });
    f(MethodEntry{"ssam_d", "SSAM-D",
                  "eps = SAM's where M = 1, 0 elsewhere; M drops and grows every few epochs, u = s",
                  "Mi et al. 2022, SSAM-D"},
      [](auto& o, auto const& use) {
          DynamicMask mask;
          mask.drop_rate = o.number("drop_rate", mask.drop_rate);
          mask.drop = std::array<Score, 3>{
              Score::gradient, Score::weight,
              Score::random}[o.choice("drop", {"gradient", "weight", "random"})];
          mask.growth = std::array<Score, 3>{
              Score::random, Score::gradient,
              Score::weight}[o.choice("growth", {"random", "gradient", "weight"})];
          mask.first_epoch = o.whole("first_epoch", mask.first_epoch);
          mask.last_epoch = o.whole("last_epoch", mask.last_epoch);
          mask.seed = o.whole("mask_seed", mask.seed);
          use(masked(o, mask));
      });
}

/// SAM on a direction other than the gradient of the batch.
template <class F>
void for_each_direction(F&& f) {
    using namespace detail;
    f(
        MethodEntry{
            "fsam", "FSAM",
            "SAM's eps of v = g - sigma e, e <- lambda e + (1 - lambda) g after this step, u = s",
            "Li et al. 2024, as in their code"},
        [](auto& o, auto const& use) {
            auto const method = friendly<LaggedAverage>(o);
            relative(o, method.perturb, [&](auto const& b) { use(family(b, method.distance)); });
        });
    f(MethodEntry{"fsam_after", "FSAM after update",
                  "as fsam, e moved before it is read, from zero",
                  "Li et al. 2024, as in the BSAM paper's text"},
      [](auto& o, auto const& use) { use(friendly<MovingAverage>(o)); });
    f(MethodEntry{"fsam_reduced", "FSAM reduced", "as fsam, e an average of v",
                  "pytorch_optimizer's FriendlySAM"},
      [](auto& o, auto const& use) { use(friendly<LaggedReducedAverage>(o)); });
    f(
        MethodEntry{
            "bsam", "BSAM",
            "SAM's eps of v = g - d e, e <- lambda e + (1 - lambda) g, d = distance(g, e), u = s",
            "Xu et al. (BSAM), eq. (9)-(12)"},
        [](auto& o, auto const& use) { batch_focused(o, use); });
    f(MethodEntry{"vasso", "VaSSO", "SAM's eps of e, e <- (1 - theta) e + theta g, u = s",
                  "Li and Giannakis 2023"},
      [](auto& o, auto const& use) {
          VaSSOOptions const d;
          auto const b = ball<EuclideanBall>(o, d.rho, d.norm_guard);
          use(family(b, AlongAverage{o.number("theta", d.theta)}));
      });
    f(MethodEntry{"esam", "ESAM",
                  "eps = SAM's on coordinates drawn with probability beta, over beta, u = s",
                  "Du et al. 2022, section 3.1"},
      [](auto& o, auto const& use) {
          ESAMOptions const d;
          Stochastic<EuclideanBall> b{ball<EuclideanBall>(o, d.rho, d.norm_guard)};
          b.beta = o.number("beta", d.beta);
          b.seed = o.whole("draw_seed", d.seed);
          use(family(b));
      });
    f(
        MethodEntry{
            "momentum_sam", "Momentum-SAM",
            "eps = -rho m / |m|_2, m the base optimizer's first moment, u = grad L_B(x + eps)",
            "Becker et al. 2024"},
        [](auto& o, auto const& use) {
            MomentumAscent method;
            method.rho = o.number("rho", method.rho);
            method.sign = o.number("sign", method.sign);
            method.norm_guard = o.number("norm_guard", method.norm_guard);
            use(method);
        });
    f(
        MethodEntry{
            "sampa", "SAMPa",
            "s at x + rho g / |g|_2 with the g kept from the step before, h of the next batch at "
            "BaseOpt(x, g), u = (1 - lambda) s + lambda h",
            "Xie et al. 2024"},
        [](auto& o, auto const& use) {
            ParallelAscent method;
            method.rho = o.number("rho", method.rho);
            method.lambda = o.number("lambda", method.lambda);
            method.norm_guard = o.number("norm_guard", method.norm_guard);
            use(method);
        });
}

/// SAM's perturbation, its gradient mixed otherwise; and mirrors.
template <class F>
void for_each_mix(F&& f) {
    using namespace detail;
    f(MethodEntry{"gnp", "GNP", "SAM's eps, u = alpha s + (1 - alpha) g", "Zhao et al. 2022"},
      [](auto& o, auto const& use) {
          GNPOptions const d;
          auto const b = ball<EuclideanBall>(o, d.rho);
          SameBatch mix;
          mix.alpha = o.number("alpha", d.alpha);
          mix.normalise_clean = o.flag("normalise_clean", d.normalise_clean);
          use(family(b, NoDistance{}, mix));
      });
    f(MethodEntry{"gsam", "GSAM",
                  "SAM's eps, u = s - alpha (the part of g that is orthogonal to s)",
                  "Zhuang et al. 2022, Algorithm 1"},
      [](auto& o, auto const& use) {
          GSAMOptions const d;
          auto const b = ball<EuclideanBall>(o, d.rho);
          use(family(b, NoDistance{}, SurrogateGap{o.number("alpha", d.alpha)}));
      });
    f(
        MethodEntry{
            "wsam", "WSAM",
            "SAM's eps, u = g, and then x <- x - learning_rate a (s - g), a = gamma / (1 - gamma)",
            "Yue et al. 2023, Algorithm 1"},
        [](auto& o, auto const& use) {
            WSAMOptions const d;
            auto const b = ball<EuclideanBall>(o, d.rho);
            use(family(b, NoDistance{}, DecoupledSharpness{o.number("gamma", d.gamma)}));
        });
    f(MethodEntry{"wsam_coupled", "WSAM coupled",
                  "SAM's eps, u = a s + (1 - a) g, a = gamma / (1 - gamma)", "Yue et al. 2023"},
      [](auto& o, auto const& use) {
          WSAMOptions const d;
          auto const b = ball<EuclideanBall>(o, d.rho);
          use(family(b, NoDistance{}, WeightedSharpness{o.number("gamma", d.gamma)}));
      });
    f(
        MethodEntry{
            "looksam", "LookSAM",
            "some steps are SAM's, k = the part of s that is orthogonal to g is kept; between them "
            "u = g + alpha |g| / |k| k",
            "Liu et al. 2022, Algorithm 1"},
        [](auto& o, auto const& use) { looking<ReusedAscent>(o, use); });
    f(MethodEntry{"looksam_blocks", "LookSAM per block",
                  "as looksam, |g| and |k| of each parameter matrix by itself",
                  "pytorch_optimizer's LookSAM"},
      [](auto& o, auto const& use) { looking<ReusedAscentPerBlock>(o, use); });
    f(MethodEntry{"mg", "MG",
                  "some steps: x' = BaseOpt(x, alpha1 g), x <- BaseOpt(x', -alpha2 grad L_B(x'))",
                  "Zhong et al. 2024 (Mirror Gradient), Algorithm 1"},
      [](auto& o, auto const& use) {
          MirrorGradientOptions const d;
          Mirror<> mirror;
          weights(mirror, o, d);
          double const sign = o.number("sign", 1);
          if (sign != 1 && sign != -1) polder::detail::refuse("sign", sign, "1 or -1");
          mirror.alpha2 *= sign;
          mirror.redraws = o.flag("redraw", d.redraws);
          use(mirror, Surroundings{.interval = Interval{.every = at_least_one(o, "beta", d.beta),
                                                        .phase = d.phase,
                                                        .restart_each_epoch = true}});
      });
    f(MethodEntry{"sgbd", "SGBD",
                  "some steps: x' = BaseOpt(x, alpha1 s), x <- BaseOpt(x', -alpha2 grad L_B(x'))",
                  "Srivastava and Wu (SGBD), Algorithm 1"},
      [](auto& o, auto const& use) {
          SGBDOptions const d;
          Mirror<EuclideanBall> mirror{ball<EuclideanBall>(o, d.rho, d.norm_guard)};
          weights(mirror, o, d);
          mirror.normalises = o.flag("normalised", d.normalises);
          mirror.norm_guard = mirror.ball.norm_guard;
          mirror.between = o.flag("literal", d.literal) ? mirror.alpha2 : 1;
          use(mirror, Surroundings{.interval = Interval{.every = at_least_one(o, "beta", d.beta)}});
      });
}

/// All of them.
template <class F>
void for_each_method(F&& f) {
    for_each_ball(f);
    for_each_metric(f);
    for_each_direction(f);
    for_each_mix(f);
}

}  // namespace polder::registry
