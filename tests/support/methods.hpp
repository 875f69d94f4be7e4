// Every method, as one list that generic tests run over. A new method is one line here.
#pragma once

#include <string>

#include <polder/polder.hpp>

#include "support/settings.hpp"

namespace polder::test {

/// Calls f(name, optimizer) with every method over the base optimizer `base`.
template <class Base, class F>
void for_each_method(Base const& base, Settings const& with, F const& f) {
    const double rho = with.rho, kappa = with.kappa, guard = with.norm_guard;
    const double lambda = with.lambda.value_or(0.6), decay = with.lambda.value_or(0.9);
    const double sigma = with.sigma.value_or(1), eta = with.eta.value_or(1);
    const double alpha = with.alpha.value_or(1 - kappa);
    const double gamma =
        with.gamma.value_or(0.9 - 0.4 * kappa);  // 1/2, which is SAM, for kappa = 1
    const FisherSAMOptions fisher{.rho = rho, .eta = eta, .norm_guard = guard};
    f("SAM", SAM{base, {.rho = rho, .norm_guard = guard}});
    f("SAM+", SAMPlus{base, {.rho = rho, .kappa = kappa, .norm_guard = guard}});
    f("ASAM", ASAM{base, {.rho = rho, .eta = with.eta.value_or(0.01), .norm_guard = guard}});
    f("ASAM+",
      ASAMPlus{base,
               {.rho = rho, .eta = with.eta.value_or(0.01), .kappa = kappa, .norm_guard = guard}});
    f("FisherSAM", FisherSAM{base, fisher});
    f("FisherSAM+",
      FisherSAMPlus{base, {.rho = rho, .eta = eta, .kappa = kappa, .norm_guard = guard}});
    f("FisherSAM running", FisherSAM{base, fisher, RunningFisher{.decay = decay}});
    f("FisherSAM of samples", FisherSAM{base, fisher, SampleFisher{.samples = with.samples}});
    f("FisherSAM per block", FisherSAM<Base, BatchFisher, MetricNormPerBlock>{base, fisher});
    f("FisherSAM of Euclidean length", FisherSAM<Base, BatchFisher, EuclideanNorm>{base, fisher});
    f("SSAM-F", SSAM{base,
                     {.rho = rho, .norm_guard = guard},
                     FisherMask{.sparsity = with.sparsity, .samples = with.samples}});
    f("SSAM-D", SSAM{base,
                     {.rho = rho, .norm_guard = guard},
                     DynamicMask{.sparsity = with.sparsity, .drop_rate = with.drop_rate}});
    f("SAM in the infinity ball", Sharpness{InfinityBall{rho}, NoDistance{}, NoMix{}, base});
    f("SAM in the Manhattan ball", Sharpness{ManhattanBall{rho}, NoDistance{}, NoMix{}, base});
    f("SAM in the ball of p = 3",
      Sharpness{PNormBall{rho, with.p, guard}, NoDistance{}, NoMix{}, base});
    f("SAM centralised",
      Sharpness{Centralised<EuclideanBall>{{rho, guard}}, NoDistance{}, NoMix{}, base});
    f("SAM in two ascents",
      Sharpness{SeveralAscents<EuclideanBall>{{rho, guard}, 2}, NoDistance{}, NoMix{}, base});
    f("GSAM+", GSAMPlus{base, {.rho = rho, .alpha = alpha, .kappa = kappa, .norm_guard = guard}});
    f("WSAM", WSAM{base, {.rho = rho, .gamma = gamma, .norm_guard = guard}});
    f("WSAM coupled",
      WSAM<Base, WeightedSharpness>{base, {.rho = rho, .gamma = gamma, .norm_guard = guard}});
    const LookSAMOptions look{
        .rho = rho, .every = with.every, .alpha = with.alpha.value_or(0.7), .norm_guard = guard};
    f("LookSAM", LookSAM{base, look});
    f("LookSAM per block", LookSAM<Base, ReusedAscentPerBlock>{base, look});
    f("MG",
      MirrorGradient{base, {.alpha1 = with.alpha1, .alpha2 = with.alpha2, .beta = with.every}});
    f("SGBD", SGBD{base,
                   {.rho = rho,
                    .alpha1 = with.alpha1,
                    .alpha2 = with.alpha2,
                    .beta = with.every,
                    .norm_guard = guard}});
    f("GNP", GNP{base, {.rho = rho, .alpha = kappa, .norm_guard = guard}});
    f("GSAM", GSAM{base, {.rho = rho, .alpha = alpha, .norm_guard = guard}});
    f("FSAM", FSAM{base, {.rho = rho, .sigma = sigma, .lambda = decay, .norm_guard = guard}});
    f("FSAM after update",
      FSAM<Base, MovingAverage>{
          base, {.rho = rho, .sigma = sigma, .lambda = lambda, .norm_guard = guard}});
    f("FSAM reduced",
      FSAM<Base, LaggedReducedAverage>{
          base, {.rho = rho, .sigma = sigma, .lambda = decay, .norm_guard = guard}});
    f("FSAM+",
      FSAMPlus{base,
               {.rho = rho, .sigma = sigma, .lambda = decay, .kappa = kappa, .norm_guard = guard}});
    const BSAMOptions bsam{.rho = rho, .lambda = lambda, .norm_guard = guard};
    const BSAMPlusOptions plus{.rho = rho, .lambda = lambda, .kappa = kappa, .norm_guard = guard};
    f("BSAM Manhattan", BSAM{base, bsam});
    f("BSAM Manhattan mean", BSAM{base, bsam, ManhattanMean{}});
    f("BSAM Euclidean", BSAM{base, bsam, Euclidean{}});
    f("BSAM Chebyshev", BSAM{base, bsam, Chebyshev{}});
    f("BSAM cosine", BSAM{base, bsam, Cosine{}});
    f("BSAM constant", BSAM{base, bsam, Constant{with.sigma.value_or(0.5)}});
    f("BSAM none", BSAM{base, bsam, NoDistance{}});
    f("BSAM+", BSAMPlus{base, plus});
    f("BSAM+ cosine", BSAMPlus{base, plus, Cosine{}});
}

/// One representative of each way a step can go through memory: for tests that are slow to compile.
template <class Base, class F>
void for_each_kind_of_method(Base const& base, Settings const& with, F const& f) {
    f("plain", Plain{base});
    f("SAM", SAM{base, {.rho = with.rho}});
    f("GSAM", GSAM{base, {.rho = with.rho}});
    f("MG", MirrorGradient{base});
    f("LookSAM", LookSAM{base, {.rho = with.rho, .every = 2}});
    f("a dynamic mask on a running Fisher ball, GSAM+",
      Sharpness{Masked<FisherBall<RunningFisher>, DynamicMask>{{.rho = with.rho}, {}}, NoDistance{},
                TwoBatchesOf<SurrogateGap>{with.kappa, {}}, base});
    f("ASAM, BSAM's average and cosine",
      Sharpness<AdaptiveBall, DistanceTo<MovingAverage, Cosine>, NoMix, Base>{
          {.rho = with.rho}, {}, {}, base});
    f("FSAM", FSAM{base, {.rho = with.rho}});
    f("BSAM Manhattan", BSAM{base, {.rho = with.rho}});
    f("BSAM+ cosine", BSAMPlus{base, {.rho = with.rho, .kappa = with.kappa}, Cosine{}});
}

}  // namespace polder::test
