// The runs whose states version 0.1 has written into this folder: every method, on a small problem. The numbers
// here are part of those files and do not change; a method that came later has no line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include <polder/polder.hpp>

namespace polder::test::version_0_1 {

/// Steps before the state is saved, and after it: saved is in the third epoch, after its first batch, where SSAM-F may
/// be about to look at its mask again, and LookSAM is about to use what it keeps.
inline constexpr int steps_before = 9, steps_after = 5;

/// What happens in a run besides steps.
struct Events {
    bool freezes = false;     ///< the group "first" is frozen in some of the steps
    bool skips = false;       ///< one step is skipped, since its loss is not finite
    bool checkpoint = false;  ///< the file holds the parameters, too
};

/// 13 coordinates in three blocks, at the start.
template <class T>
ParameterArena<T> start() {
    ParameterArena<T> x;
    x.add("first", 3, 1);
    x.add("second", 2, 3);
    x.add("third", 1, 4);
    for (std::size_t i = 0; i < x.size(); ++i) {
        x.data()[i] = (static_cast<T>(5 * i % 13) - 6) / 8;
    }
    return x;
}

/// L(x) = sum over i of a_i (x_i - c_i)^2 / 2 + x_i^4 / 8, with other c for each step, batch and sample. It takes
/// sums, products and quotients alone, whose bits are the same with every compiler and library.
struct Loss {
    std::uint64_t step;
    bool finite = true;

    template <class T>
    double operator()(ParameterArena<T> const& at, ParameterArena<T>& gradient, Pass pass) const {
        auto const draw = 3 * step + 2 * static_cast<std::uint64_t>(pass.sample + 1) +
                          (pass.batch == Batch::second ? 7 : 0);
        double loss = finite ? 0 : std::numeric_limits<double>::infinity();
        for (std::size_t i = 0; i < at.size(); ++i) {
            T const x = at.data()[i];
            T const a = static_cast<T>(4 + i % 5) / 4;
            T const away = x - (static_cast<T>((5 * i + draw) % 13) - 6) / 4;
            loss += static_cast<double>(a * (away * away) / 2 + x * x * (x * x) / 8);
            gradient.data()[i] = a * away + x * x * x / 2;
        }
        return loss;
    }
};

/// That many steps more, with four batches in an epoch.
template <class Optimizer, class T>
void advance(Optimizer& optimizer, ParameterArena<T>& x, int steps, Events events) {
    for (int k = 0; k < steps; ++k) {
        auto const t = optimizer.steps();
        if (t % 4 == 0) optimizer.begin_epoch();
        if (events.freezes) optimizer.group("first").frozen = t == 2 || t == 3 || t == 11;
        if (events.skips && t == 5) optimizer.step(x, Loss{t, false});
        optimizer.step(x, Loss{t});
    }
}

/// Calls f(name, optimizer, parameters, events) with every run: names are those of files, `optimizer` has made no
/// step, and parameters are those of start().
template <class F>
void for_each_run(F const& f) {
    auto const run = [&](char const* name, auto const& optimizer, Events events = {}) {
        f(name, optimizer, start<double>(), events);
    };
    auto const run_in_float = [&](char const* name, auto const& optimizer) {
        f(name, optimizer, start<float>(), Events{.checkpoint = true});
    };
    // What has no name of its own.
    auto const composed = [](auto perturb, auto distance, auto mix, auto base) {
        return Sharpness{perturb, distance, mix, base};
    };

    // Adam takes powers of these decays, which are exact in a double.
    Adam const adam{.learning_rate = 0.05, .beta1 = 0.5, .beta2 = 0.75, .weight_decay = 0.01};
    run("plain", Plain{adam});

    run("SAM", SAM{adam, {.rho = 0.1}});
    run("SAM_in_the_infinity_ball", composed(InfinityBall{0.1}, NoDistance{}, NoMix{}, adam));
    run("SAM_in_the_Manhattan_ball", composed(ManhattanBall{0.1}, NoDistance{}, NoMix{}, adam));
    run("SAM_in_the_ball_of_p_3", composed(PNormBall{0.1, 3}, NoDistance{}, NoMix{}, adam));
    run("SAM_centralised",
        composed(Centralised<EuclideanBall>{{0.1}}, NoDistance{}, NoMix{}, adam));
    run("SAM_in_two_ascents",
        composed(SeveralAscents<EuclideanBall>{{0.1}, 2}, NoDistance{}, NoMix{}, adam));
    run("ASAM", ASAM{adam, {.rho = 0.5, .eta = 0.01}});

    FisherSAMOptions const fisher{.rho = 0.1, .eta = 1};
    run("FisherSAM", FisherSAM{adam, fisher});
    run("FisherSAM_running", FisherSAM{adam, fisher, RunningFisher{.decay = 0.9}});
    run("FisherSAM_of_samples", FisherSAM{adam, fisher, SampleFisher{.samples = 3}});
    run("FisherSAM_per_block", FisherSAM<Adam, BatchFisher, MetricNormPerBlock>{adam, fisher});
    run("FisherSAM_of_Euclidean_length", FisherSAM<Adam, BatchFisher, EuclideanNorm>{adam, fisher});

    FisherMask const largest{.sparsity = 0.4, .samples = 3, .refresh_epochs = 3};
    run("SSAM_F", SSAM{adam, {.rho = 0.1}, largest});
    FisherMask const soon{.sparsity = 0.4, .samples = 3, .refresh_epochs = 2};
    run("SSAM_F_before_a_look", SSAM{adam, {.rho = 0.1}, soon});
    DynamicMask const dynamic{.sparsity = 0.3, .refresh_epochs = 1, .last_epoch = 8};
    run("SSAM_D", SSAM{adam, {.rho = 0.1}, dynamic});
    run("SSAM_of_a_fixed_mask", SSAM{adam, {.rho = 0.1}, FixedMask{}});

    FSAMOptions const friendly{.rho = 0.1, .sigma = 1, .lambda = 0.9};
    run("FSAM", FSAM{adam, friendly});
    run("FSAM_after_update", FSAM<Adam, MovingAverage>{adam, friendly});
    run("FSAM_reduced", FSAM<Adam, LaggedReducedAverage>{adam, friendly});

    BSAMOptions const bsam{.rho = 0.1, .lambda = 0.6};
    run("BSAM_Manhattan", BSAM{adam, bsam, Manhattan{}});
    run("BSAM_Manhattan_mean", BSAM{adam, bsam, ManhattanMean{}});
    run("BSAM_Euclidean", BSAM{adam, bsam, Euclidean{}});
    run("BSAM_Chebyshev", BSAM{adam, bsam, Chebyshev{}});
    run("BSAM_cosine", BSAM{adam, bsam, Cosine{}});
    run("BSAM_constant", BSAM{adam, bsam, Constant{0.5}});
    run("BSAM_none", BSAM{adam, bsam, NoDistance{}});

    run("GNP", GNP{adam, {.rho = 0.1, .alpha = 0.8}});
    run("GSAM", GSAM{adam, {.rho = 0.1, .alpha = 0.4}});
    run("WSAM", WSAM{adam, {.rho = 0.1, .gamma = 0.8}});
    run("WSAM_coupled", WSAM<Adam, WeightedSharpness>{adam, {.rho = 0.1, .gamma = 0.8}});
    LookSAMOptions const look{.rho = 0.1, .every = 4, .alpha = 0.7};
    run("LookSAM", LookSAM{adam, look});
    run("LookSAM_per_block", LookSAM<Adam, ReusedAscentPerBlock>{adam, look});
    run("MG", MirrorGradient{adam, {.alpha1 = 1, .alpha2 = 0.2, .beta = 3}});
    run("SGBD", SGBD{adam, {.rho = 0.1, .alpha1 = 1, .alpha2 = 0.3, .beta = 3}});

    run("SAM_plus", SAMPlus{adam, {.rho = 0.1, .kappa = 0.6}});
    run("ASAM_plus", ASAMPlus{adam, {.rho = 0.5, .eta = 0.01, .kappa = 0.6}});
    run("FisherSAM_plus", FisherSAMPlus{adam, {.rho = 0.1, .eta = 1, .kappa = 0.6}});
    run("FSAM_plus", FSAMPlus{adam, {.rho = 0.1, .sigma = 1, .lambda = 0.9, .kappa = 0.6}});
    run("GSAM_plus", GSAMPlus{adam, {.rho = 0.1, .alpha = 0.4, .kappa = 0.6}});
    BSAMPlusOptions const plus{.rho = 0.1, .lambda = 0.6, .kappa = 0.6};
    run("BSAM_plus", BSAMPlus{adam, plus, Manhattan{}});
    run("BSAM_plus_cosine", BSAMPlus{adam, plus, Cosine{}});
    // Every kind of array that a method keeps, but LookSAM's.
    run("mixture", composed(Masked<FisherBall<RunningFisher>, DynamicMask>{{.rho = 0.1}, dynamic},
                            DistanceTo<MovingAverage, Cosine>{{0.6}, {}},
                            TwoBatchesOf<SurrogateGap>{0.6, {0.4}}, adam));

    auto const over = [&](char const* plain, char const* sam, char const* bsam_plus,
                          auto const& base) {
        run(plain, Plain{base});
        run(sam, SAM{base, {.rho = 0.1}});
        run(bsam_plus, BSAMPlus{base, plus, Manhattan{}});
    };
    over("plain_over_SGD", "SAM_over_SGD", "BSAM_plus_over_SGD", SGD{.learning_rate = 0.05});
    over("plain_over_momentum", "SAM_over_momentum", "BSAM_plus_over_momentum",
         SGD{.learning_rate = 0.05, .momentum = 0.9, .dampening = 0.1});
    AdamW const adamw{.learning_rate = 0.05, .beta1 = 0.5, .beta2 = 0.75, .amsgrad = true};
    over("plain_over_AdamW", "SAM_over_AdamW", "BSAM_plus_over_AdamW", adamw);
    over("plain_over_RMSprop", "SAM_over_RMSprop", "BSAM_plus_over_RMSprop",
         RMSprop{.learning_rate = 0.01, .momentum = 0.9, .centered = true});
    over("plain_over_Adagrad", "SAM_over_Adagrad", "BSAM_plus_over_Adagrad",
         Adagrad{.learning_rate = 0.1, .learning_rate_decay = 0.1});

    auto const with_groups = [](auto optimizer) {
        optimizer.set_groups({{.name = "first", .blocks = {"first"}, .learning_rate = 0.02},
                              {.name = "last", .blocks = {"th*"}, .weight_decay = 0, .rho = 0.2}});
        return optimizer;
    };
    run("SAM_with_groups", with_groups(SAM{adamw, {.rho = 0.1}}),
        {.freezes = true, .checkpoint = true});
    run("BSAM_plus_with_groups", with_groups(BSAMPlus{adam, plus, Manhattan{}}), {.freezes = true});

    SAM sometimes{adam, {.rho = 0.1}};
    sometimes.set_interval({.every = 2, .phase = Phase::last, .warm_up = 3});
    run("SAM_every_other_step", sometimes);
    BSAM skipping{adam, bsam, Manhattan{}};
    skipping.set_non_finite(NonFinite::skip);
    run("BSAM_that_skipped_a_step", skipping, {.skips = true});

    run_in_float("SAM_in_float", SAM{adam, {.rho = 0.1}});
    run_in_float("BSAM_plus_in_float", BSAMPlus{adam, plus, Manhattan{}});
    run_in_float("SSAM_D_in_float", SSAM{adam, {.rho = 0.1}, dynamic});
}

}  // namespace polder::test::version_0_1
