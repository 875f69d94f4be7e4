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

constexpr int steps_taken = 12;
const Adam adam{.learning_rate = 0.02, .weight_decay = 0.01};

// Names that users have: none of polder's, also where all of them are in scope.
struct Array {};
struct Mask {};
struct Value {};
struct Point {};
struct Out {};
static_assert(std::is_empty_v<Array> && std::is_empty_v<Mask> && std::is_empty_v<Value> &&
              std::is_empty_v<Point> && std::is_empty_v<Out>);

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
              Optimizer<MomentumAscent, Adam>::has_perturbation &&
              Optimizer<ParallelAscent, Adam>::has_perturbation &&
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
    auto const trajectory = [](auto optimizer) {
        std::vector<double> x(11);
        test::set_start(x);
        for (int t = 0; t < steps_taken; ++t) optimizer.step(x, FromZero{&t});
        return x;
    };
    const SGD sgd{.learning_rate = 0.3};
    auto const lagged =
        trajectory(FSAM{sgd, {.rho = 0.1, .sigma = 1, .lambda = 0.6, .norm_guard = 0}});
    auto const moving = trajectory(
        FSAM<SGD, MovingAverage>{sgd, {.rho = 0.1, .sigma = 1, .lambda = 0.6, .norm_guard = 0}});
    for (std::size_t i = 0; i < lagged.size(); ++i)
        CHECK(lagged[i] == Approx(moving[i]).epsilon(1e-12));
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
    auto const before = x;
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

TEST_CASE("the report has the learning rate and the radius of its step", "[methods][schedule]") {
    std::vector<double> x(4);
    test::set_start(x);
    auto const both = [&](auto optimizer) {
        optimizer.set_learning_rate_schedule(schedules::Step{.every = 1, .factor = 0.5});
        optimizer.set_rho_schedule(schedules::Inverse{});
        optimizer.step(x, Valley{});
        return optimizer.step(x, Valley{});
    };
    for (const Report& report :
         {both(SAM{SGD{.learning_rate = 0.1}, {.rho = 0.2}}),
          both(MomentumSAM{SGD{.learning_rate = 0.1, .momentum = 0.9}, {.rho = 0.2}}),
          both(SAMPlus{SGD{.learning_rate = 0.1}, {.rho = 0.2}})}) {
        CHECK(report.learning_rate == Approx(0.05));
        CHECK(report.rho == Approx(0.1));
    }
    // Every second step of these is one of the base optimizer.
    for (const Report& report : {both(LookSAM{SGD{.learning_rate = 0.1}, {.rho = 0.2, .every = 2}}),
                                 both(SGBD{SGD{.learning_rate = 0.1}, {.rho = 0.2, .beta = 2}}),
                                 both(Plain{SGD{.learning_rate = 0.1}})}) {
        CHECK(report.learning_rate == Approx(0.05));
        CHECK(std::isnan(report.rho));
    }
    LookSAM looking{SGD{}, {.rho = 0.2}};
    CHECK(looking.step(x, Valley{}).rho == 0.2);
    SGBD mirror{SGD{}, {.rho = 0.2}};
    CHECK(mirror.step(x, Valley{}).rho == 0.2);
}

TEST_CASE("passes come in their order, each on its batch and point", "[methods][closure]") {
    std::vector<double> x(5);
    test::set_start(x);
    auto const before = x;
    std::vector<Pass> passes;
    auto const record = [&](std::vector<double> const& at, std::vector<double>& gradient,
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
    auto const batch = [](Batch which) {
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
