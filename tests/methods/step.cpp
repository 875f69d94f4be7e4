// What a step calls, measures and does, on problems made for it.

#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>
#include <vector>

#include <polder/polder.hpp>

#include "support/any_method.hpp"
#include "support/valley.hpp"

using namespace polder;
using polder::test::all_methods;
using polder::test::same_bits;
using polder::test::Valley;

namespace {

constexpr int steps = 12;
const Adam adam{.learning_rate = 0.02, .weight_decay = 0.01};

}  // namespace

// The way the methods are written.
static_assert(
    std::is_same_v<decltype(BSAM{Adam{.learning_rate = 1e-3}, {.rho = 0.1, .lambda = 0.6}}),
                   BSAM<Adam>>);
static_assert(
    std::is_same_v<decltype(BSAM{SGD{}, {.rho = 0.1}, Manhattan{}}), BSAM<SGD, Manhattan>>);
static_assert(std::is_same_v<decltype(SAM{SGD{}}), SAM<SGD>>);
static_assert(std::is_base_of_v<Sharpness<EuclideanBall, NoDistance, NoMix, SGD>, SAM<SGD>>);
static_assert(
    std::is_base_of_v<Sharpness<EuclideanBall, DistanceTo<MovingAverage, Cosine>, TwoBatches, Adam>,
                      BSAMPlus<Adam>>);
// Where there is an eps, also behind a mixed loss.
using Look = LookingAscent<EuclideanBall, ReusedAscent>;
static_assert(Optimizer<Look, Adam>::has_perturbation &&
              Optimizer<Plus<Look>, Adam>::has_perturbation);
static_assert(Optimizer<Mirror<EuclideanBall>, Adam>::has_perturbation &&
              !Optimizer<Mirror<>, Adam>::has_perturbation &&
              !Optimizer<MomentumAscent, Adam>::has_perturbation &&
              !Optimizer<ParallelAscent, Adam>::has_perturbation &&
              !Optimizer<Plus<Mirror<>>, Adam>::has_perturbation);
static_assert(Optimizer<ParallelAscent, Adam>::batches == 2 &&
              Optimizer<Plus<Look>, Adam>::batches == 2 && SAM<Adam>::batches == 1);
// Policies are a few numbers.
static_assert(std::is_empty_v<Manhattan> && std::is_empty_v<Cosine> && std::is_empty_v<NoMix>);
static_assert(sizeof(EuclideanBall) == 2 * sizeof(double) && std::is_trivially_copyable_v<Adam>);

TEST_CASE("the two conventions of FSAM agree for sigma = 1 after the first step", "[methods]") {
    // e_t - g = lambda (e_{t-1} - g): the factor cancels when v is normalised. Started from the same
    // average, which a first gradient of zero is.
    struct FromZero {
        int* t;
        double operator()(std::vector<double> const& x, std::vector<double>& gradient,
                          Pass pass) const {
            const double loss = Valley{}(x, gradient, pass);
            if (*t == 0) std::fill(gradient.begin(), gradient.end(), 0.0);
            return loss;
        }
    };
    const auto trajectory = [](auto optimizer) {
        std::vector<double> x(11);
        test::set_start(x);
        for (int t = 0; t < steps; ++t) optimizer.step(x, FromZero{&t});
        return x;
    };
    const SGD sgd{.learning_rate = 0.3};
    const auto lagged =
        trajectory(FSAM{sgd, {.rho = 0.1, .sigma = 1, .lambda = 0.6, .norm_guard = 0}});
    const auto moving = trajectory(
        FSAM<SGD, MovingAverage>{sgd, {.rho = 0.1, .sigma = 1, .lambda = 0.6, .norm_guard = 0}});
    for (std::size_t i = 0; i < lagged.size(); ++i)
        CHECK(lagged[i] == Approx(moving[i]).epsilon(1e-12));
}

TEST_CASE("a direction that nearly cancels still has norm rho", "[methods][perturb]") {
    // The same gradient at every step: with sigma = 1 all but a rounding error of v = g - e goes away.
    const auto constant_gradient = [](std::vector<double> const& x, std::vector<double>& gradient) {
        for (std::size_t i = 0; i < x.size(); ++i) gradient[i] = 1 + 1e-9 * test::start(i);
        return 0.0;
    };
    FSAM<SGD, MovingAverage> optimizer{SGD{}, {.rho = 0.3, .sigma = 1, .lambda = 0.1}};
    std::vector<double> x(100), eps(100);
    for (int t = 0; t < 9; ++t) {
        optimizer.perturbation(x, constant_gradient, eps);
        double square = 0;
        for (double e : eps) square += e * e;
        CHECK(std::sqrt(square) == Approx(0.3).epsilon(1e-3));
        optimizer.step(x, constant_gradient);
    }
}

TEST_CASE("no guard on the norm and a zero gradient give no not-a-number", "[methods][perturb]") {
    SAM optimizer{SGD{}, {.rho = 0.1, .norm_guard = 0}};
    std::vector<double> x{1, 2};
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>& g) {
        g = {0, 0};
        return 0.0;
    });
    CHECK(x == std::vector<double>{1, 2});
}

TEST_CASE("no coordinates and empty blocks are fine", "[methods]") {
    for (auto method : all_methods<double>({}, true)) {
        CAPTURE(method.name());
        std::vector<std::vector<double>> blocks{{}, {1.0}, {}};
        auto x = test::AnyContainer<double>::of(blocks);
        CHECK_NOTHROW(method->step(x, Valley{}));
    }
    for (auto method : all_methods<double>()) {
        CAPTURE(method.name());
        std::vector<double> none;
        // Without coordinates a mean over them is not a number.
        if (method.name().find("BSAM") != std::string::npos) continue;
        CHECK_NOTHROW(method->step(none, [](auto const&, auto&, Pass) { return 1.0; }));
    }
}

TEST_CASE("the report says what was measured", "[methods][closure]") {
    std::vector<double> x(10);
    test::set_start(x);
    const auto before = x;
    BSAMPlus optimizer{SGD{.learning_rate = 0.1}, {.rho = 0.1, .lambda = 0.6}, Euclidean{}};
    const Report report = optimizer.step(x, Valley{});

    std::vector<double> g(10);
    CHECK(report.loss == Valley{}(before, g, {}));
    double gg = 0;
    for (double value : g) gg += value * value;
    CHECK(report.gradient_norm == Approx(std::sqrt(gg)));
    // At the first step e = (1 - lambda) g, so that d = lambda ||g||.
    CHECK(report.distance == Approx(0.6 * std::sqrt(gg)));
    CHECK(report.cosine == Approx(1));
    CHECK(report.perturbation_norm == Approx(0.1));
    CHECK(report.sharpness() == report.perturbed_loss - report.loss);
    CHECK(report.sharpness() > 0);
    CHECK(report.second_loss == Valley{}(before, g, {Batch::second, false}));
    CHECK(report.evaluations == 3);
    CHECK_FALSE(report.skipped);

    std::vector<double> y(10);
    Plain plain{SGD{}};
    const Report lone = plain.step(y, Valley{});
    CHECK(lone.evaluations == 1);
    CHECK(std::isnan(lone.perturbed_loss));
    CHECK(std::isnan(lone.second_loss));
}

TEST_CASE("the literal Manhattan distance can turn the ascent into a descent",
          "[methods][distance]") {
    // At the first step v = (1 - (1 - lambda) d) g with d = lambda ||g||_1.
    const auto steep = [](std::vector<double> const& x, std::vector<double>& gradient) {
        std::fill(gradient.begin(), gradient.end(), 1.0);
        return x[0];
    };
    std::vector<double> x(100);
    BSAM literal{SGD{}, {.lambda = 0.6}, Manhattan{}};
    const Report report = literal.step(x, steep);
    CHECK(report.distance == Approx(60));
    CHECK(report.cosine == Approx(-1));
    CHECK(report.sharpness() < 0);
    BSAM mean{SGD{}, {.lambda = 0.6}, ManhattanMean{}};
    std::vector<double> y(100);
    CHECK(mean.step(y, steep).cosine == Approx(1));
}

TEST_CASE("passes come in their order, each on its batch and point", "[methods][closure]") {
    std::vector<double> x(5);
    test::set_start(x);
    const auto before = x;
    std::vector<Pass> passes;
    const auto record = [&](std::vector<double> const& at, std::vector<double>& gradient,
                            Pass pass) {
        passes.push_back(pass);
        CHECK((at == before) == !pass.perturbed);
        return Valley{}(at, gradient, pass);
    };
    BSAMPlus{adam}.step(x, record);
    CHECK(passes ==
          std::vector<Pass>{{Batch::first, false}, {Batch::first, true}, {Batch::second, false}});
    passes.clear();
    x = before;
    SAM{adam}.step(x, record);
    CHECK(passes == std::vector<Pass>{{Batch::first, false}, {Batch::first, true}});
}

TEST_CASE("two closures are the two batches of one", "[methods][closure]") {
    const auto batch = [](Batch which) {
        return [which](std::vector<double> const& at, std::vector<double>& gradient) {
            return Valley{}(at, gradient, Pass{which, false});
        };
    };
    std::vector<double> x(9), y(9);
    test::set_start(x);
    test::set_start(y);
    SAMPlus one{adam}, two{adam};
    for (int t = 0; t < 3; ++t) {
        one.step(x, Valley{});
        two.step(y, batch(Batch::first), batch(Batch::second));
    }
    CHECK(same_bits(x, y));
}
