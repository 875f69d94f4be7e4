// Every method, as one list that generic tests run over. A new method is one line here.
#pragma once

#include <string>

#include <polder/polder.hpp>

namespace polder::test {

/// The hyper-parameters that all methods of the list share.
struct Settings {
    double rho = 0.05;
    double kappa = 0.6;
    double norm_guard = 1e-12;
};

/// Calls f(name, optimizer) with every method over the base optimizer `base`.
template <class Base, class F>
void for_each_method(Base const& base, Settings const& with, F const& f) {
    const double rho = with.rho, kappa = with.kappa, guard = with.norm_guard;
    f("SAM", SAM{base, {.rho = rho, .norm_guard = guard}});
    f("SAM+", SAMPlus{base, {.rho = rho, .kappa = kappa, .norm_guard = guard}});
    f("ASAM", ASAM{base, {.rho = rho, .norm_guard = guard}});
    f("ASAM+", ASAMPlus{base, {.rho = rho, .kappa = kappa, .norm_guard = guard}});
    f("FisherSAM", FisherSAM{base, {.rho = rho, .norm_guard = guard}});
    f("FisherSAM+", FisherSAMPlus{base, {.rho = rho, .kappa = kappa, .norm_guard = guard}});
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
    f("ASAM, BSAM's average and cosine",
      Sharpness<AdaptiveBall, DistanceTo<MovingAverage, Cosine>, NoMix, Base>{
          {.rho = with.rho}, {}, {}, base});
    f("FSAM", FSAM{base, {.rho = with.rho}});
    f("BSAM Manhattan", BSAM{base, {.rho = with.rho}});
    f("BSAM+ cosine", BSAMPlus{base, {.rho = with.rho, .kappa = with.kappa}, Cosine{}});
}

}  // namespace polder::test
