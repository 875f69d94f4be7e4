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
    const double gamma = 0.9 - 0.4 * kappa;  // 1/2, which is SAM, for kappa = 1
    f("SAM", SAM{base, {.rho = rho, .norm_guard = guard}});
    f("SAM+", SAMPlus{base, {.rho = rho, .kappa = kappa, .norm_guard = guard}});
    f("ASAM", ASAM{base, {.rho = rho, .norm_guard = guard}});
    f("ASAM+", ASAMPlus{base, {.rho = rho, .kappa = kappa, .norm_guard = guard}});
    f("FisherSAM", FisherSAM{base, {.rho = rho, .norm_guard = guard}});
    f("FisherSAM+", FisherSAMPlus{base, {.rho = rho, .kappa = kappa, .norm_guard = guard}});
    f("FisherSAM running", FisherSAM{base, {.rho = rho, .norm_guard = guard}, RunningFisher{}});
    f("FisherSAM of samples",
      FisherSAM{base, {.rho = rho, .norm_guard = guard}, SampleFisher{.samples = 3}});
    f("FisherSAM per block",
      FisherSAM<Base, BatchFisher, MetricNormPerBlock>{base, {.rho = rho, .norm_guard = guard}});
    f("FisherSAM of Euclidean length",
      FisherSAM<Base, BatchFisher, EuclideanNorm>{base, {.rho = rho, .norm_guard = guard}});
    f("SSAM-F",
      SSAM{base, {.rho = rho, .norm_guard = guard}, FisherMask{.sparsity = 0.5, .samples = 3}});
    f("SSAM-D", SSAM{base, {.rho = rho, .norm_guard = guard}, DynamicMask{.sparsity = 0.5}});
    f("SAM in the infinity ball", Sharpness{InfinityBall{rho}, NoDistance{}, NoMix{}, base});
    f("SAM in the Manhattan ball", Sharpness{ManhattanBall{rho}, NoDistance{}, NoMix{}, base});
    f("SAM in the ball of p = 3", Sharpness{PNormBall{rho, 3, guard}, NoDistance{}, NoMix{}, base});
    f("SAM centralised",
      Sharpness{Centralised<EuclideanBall>{{rho, guard}}, NoDistance{}, NoMix{}, base});
    f("SAM in two ascents",
      Sharpness{SeveralAscents<EuclideanBall>{{rho, guard}, 2}, NoDistance{}, NoMix{}, base});
    f("GSAM+",
      GSAMPlus{base, {.rho = rho, .alpha = 1 - kappa, .kappa = kappa, .norm_guard = guard}});
    f("WSAM", WSAM{base, {.rho = rho, .gamma = gamma, .norm_guard = guard}});
    f("WSAM coupled",
      WSAM<Base, WeightedSharpness>{base, {.rho = rho, .gamma = gamma, .norm_guard = guard}});
    f("LookSAM", LookSAM{base, {.rho = rho, .every = 3, .norm_guard = guard}});
    f("LookSAM per block",
      LookSAM<Base, ReusedAscentPerBlock>{base, {.rho = rho, .every = 3, .norm_guard = guard}});
    f("MG", MirrorGradient{base});
    f("SGBD", SGBD{base, {.rho = rho, .norm_guard = guard}});
    f("GNP", GNP{base, {.rho = rho, .alpha = kappa, .norm_guard = guard}});
    f("GSAM", GSAM{base, {.rho = rho, .alpha = 1 - kappa, .norm_guard = guard}});
    f("FSAM", FSAM{base, {.rho = rho, .norm_guard = guard}});
    f("FSAM after update",
      FSAM<Base, MovingAverage>{base, {.rho = rho, .lambda = 0.6, .norm_guard = guard}});
    f("FSAM reduced", FSAM<Base, LaggedReducedAverage>{base, {.rho = rho, .norm_guard = guard}});
    f("FSAM+", FSAMPlus{base, {.rho = rho, .kappa = kappa, .norm_guard = guard}});
    f("BSAM Manhattan", BSAM{base, {.rho = rho, .norm_guard = guard}});
    f("BSAM Manhattan mean", BSAM{base, {.rho = rho, .norm_guard = guard}, ManhattanMean{}});
    f("BSAM Euclidean", BSAM{base, {.rho = rho, .norm_guard = guard}, Euclidean{}});
    f("BSAM Chebyshev", BSAM{base, {.rho = rho, .norm_guard = guard}, Chebyshev{}});
    f("BSAM cosine", BSAM{base, {.rho = rho, .norm_guard = guard}, Cosine{}});
    f("BSAM constant", BSAM{base, {.rho = rho, .norm_guard = guard}, Constant{0.5}});
    f("BSAM none", BSAM{base, {.rho = rho, .norm_guard = guard}, NoDistance{}});
    f("BSAM+", BSAMPlus{base, {.rho = rho, .kappa = kappa, .norm_guard = guard}});
    f("BSAM+ cosine", BSAMPlus{base, {.rho = rho, .kappa = kappa, .norm_guard = guard}, Cosine{}});
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
