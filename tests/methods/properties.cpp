// What holds for every method, whatever the problem.

#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>
#include <vector>

#include <polder/polder.hpp>

#include "support/any_method.hpp"
#include "support/methods.hpp"
#include "support/valley.hpp"

using namespace polder;
using polder::test::all_methods;
using polder::test::AnyMethod;
using polder::test::same_bits;
using polder::test::Valley;

namespace {

constexpr int steps = 12;
const Adam adam{.learning_rate = 0.02, .weight_decay = 0.01};
const SGD heavy_ball{.learning_rate = 0.5, .momentum = 0.9};

template <class T, class Optimizer, class Closure = Valley>
std::vector<T> run(Optimizer optimizer, std::size_t size = 37, Closure const& closure = {}) {
    std::vector<T> x(size);
    test::set_start(x);
    for (int t = 0; t < steps; ++t) optimizer.step(x, closure);
    return x;
}

// The second batch in the place of the first.
struct SecondBatch {
    template <class C>
    double operator()(C const& x, C& gradient) const {
        return Valley{}(x, gradient, Pass{Batch::second, false});
    }
};

// The Euclidean norm.
template <class T>
double norm(std::vector<T> const& eps) {
    double sum = 0;
    for (T e : eps) sum += static_cast<double>(e) * static_cast<double>(e);
    return std::sqrt(sum);
}

// 12 steps of one of all_methods.
template <class T>
std::vector<T> run_any(AnyMethod<T> method) {
    std::vector<T> x(37);
    test::set_start(x);
    for (int t = 0; t < steps; ++t) method->step(x, Valley{});
    return x;
}

}  // namespace

// The way the methods are written.
static_assert(
    std::is_same_v<decltype(BSAM{Adam{.learning_rate = 1e-3}, {.rho = 0.1, .lambda = 0.6}}),
                   BSAM<Adam>>);
static_assert(std::is_same_v<decltype(BSAM{SGD{}, {.rho = 0.1}, Cosine{}}), BSAM<SGD, Cosine>>);
static_assert(std::is_same_v<decltype(SAM{SGD{}}), SAM<SGD>>);
static_assert(std::is_base_of_v<Sharpness<EuclideanBall, NoDistance, NoMix, SGD>, SAM<SGD>>);
static_assert(std::is_base_of_v<
              Sharpness<EuclideanBall, DistanceTo<MovingAverage, Manhattan>, TwoBatches, Adam>,
              BSAMPlus<Adam>>);
// Policies are a few numbers.
static_assert(std::is_empty_v<Manhattan> && std::is_empty_v<Cosine> && std::is_empty_v<NoMix>);
static_assert(sizeof(EuclideanBall) == 2 * sizeof(double) && std::is_trivially_copyable_v<Adam>);

TEMPLATE_TEST_CASE("rho = 0 is the base optimizer bit for bit", "[methods]", float, double) {
    const auto base = run<TestType>(Plain{adam});
    for (auto const& method : all_methods<TestType>({.rho = 0, .kappa = 1})) {
        CAPTURE(method.name());
        // A mirror's two steps, and what LookSAM uses again, are there whatever rho.
        if (method.traits().mirrors || method.traits().reuses) continue;
        CHECK(same_bits(run_any(method), base));
    }
}

TEST_CASE("kappa = 1 is the method without the second batch", "[methods]") {
    CHECK(same_bits(run<double>(SAMPlus{adam, {.rho = 0.1, .kappa = 1}}),
                    run<double>(SAM{adam, {.rho = 0.1}})));
    CHECK(same_bits(run<double>(FSAMPlus{adam, {.kappa = 1}}), run<double>(FSAM{adam})));
    CHECK(
        same_bits(run<double>(BSAMPlus{heavy_ball, {.kappa = 1}}), run<double>(BSAM{heavy_ball})));
}

TEST_CASE("GNP is SAM for alpha = 1 and the base optimizer for alpha = 0", "[methods]") {
    CHECK(same_bits(run<double>(GNP{adam, {.rho = 0.1, .alpha = 1}}),
                    run<double>(SAM{adam, {.rho = 0.1}})));
    CHECK(same_bits(run<double>(GNP{adam, {.rho = 0.1, .alpha = 0}}), run<double>(Plain{adam})));
}

TEST_CASE("ASAM does not see two layers rescaled against each other", "[methods][perturb]") {
    // L(x, y) = f(x y) for scalars: with eta = 0 the loss at the perturbed point is the same for
    // (k x, y / k).
    const auto product = [](std::vector<double> const& at, std::vector<double>& gradient) {
        const double slope = std::sin(at[0] * at[1]);
        gradient = {slope * at[1], slope * at[0]};
        return 1 - std::cos(at[0] * at[1]);
    };
    std::vector<double> expected;
    for (double k : {1.0, 4.0, 0.25}) {
        ASAM optimizer{SGD{}, {.rho = 0.2, .eta = 0, .norm_guard = 0}};
        std::vector<double> x{0.7 * k, 1.3 / k};
        expected.push_back(optimizer.step(x, product).perturbed_loss);
    }
    CHECK(expected[1] == Approx(expected[0]).epsilon(1e-13));
    CHECK(expected[2] == Approx(expected[0]).epsilon(1e-13));
}

TEST_CASE("kappa = 0 is the base optimizer on the second batch", "[methods]") {
    const auto base = run<double>(Plain{adam}, 37, SecondBatch{});
    for (auto const& method : all_methods<double>({.rho = 0.1, .kappa = 0})) {
        CAPTURE(method.name());
        if (method.traits().second_batch) CHECK(same_bits(run_any(method), base));
    }
}

TEST_CASE("methods that are special cases of others agree bit for bit", "[methods]") {
    const auto sam = run<double>(SAM{heavy_ball, {.rho = 0.1}});
    CHECK(same_bits(run<double>(FSAM{heavy_ball, {.rho = 0.1, .sigma = 0}}), sam));
    CHECK(same_bits(run<double>(BSAM{heavy_ball, {.rho = 0.1}, Constant{0}}), sam));
    CHECK(same_bits(run<double>(GSAM{heavy_ball, {.rho = 0.1, .alpha = 0}}), sam));
    CHECK(same_bits(run<double>(FisherSAM{heavy_ball, {.rho = 0.1, .eta = 0}}), sam));
    CHECK(same_bits(run<double>(BSAM{heavy_ball, {.rho = 0.1}, NoDistance{}}), sam));
    CHECK(same_bits(run<double>(BSAM{heavy_ball, {.rho = 0.1, .lambda = 0.6}, Constant{0.5}}),
                    run<double>(FSAM<SGD, MovingAverage>{
                        heavy_ball, {.rho = 0.1, .sigma = 0.5, .lambda = 0.6}})));
}

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

TEMPLATE_TEST_CASE("the perturbation has norm rho in the ball's own norm", "[methods][perturb]",
                   float, double) {
    const double accuracy = std::is_same_v<TestType, float> ? 1e-5 : 1e-12;
    const auto in_double = [](std::vector<TestType> const& v) {
        return std::vector<double>(v.begin(), v.end());
    };
    for (auto method : all_methods<TestType>({.rho = 0.3, .norm_guard = 0})) {
        if (!method.traits().perturbs) continue;
        std::vector<TestType> x(53), g(53), eps(53);
        test::set_start(x);
        for (int t = 0; t < steps; ++t) {
            CAPTURE(method.name(), t);
            const Report report = method->perturbation(x, Valley{}, eps);
            Valley{}(x, g, {});
            CHECK(report.perturbation_norm == Approx(norm(eps)).epsilon(accuracy));
            if (auto own = method->own_norm(in_double(x), in_double(g), in_double(eps))) {
                CHECK(*own == Approx(0.3).epsilon(accuracy));
            }
            if (method.traits().shortens) CHECK(norm(eps) <= 0.3 * (1 + accuracy));
            method->step(x, Valley{});
        }
    }
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

TEST_CASE("a zero gradient moves nothing and gives no not-a-number", "[methods]") {
    const auto flat_loss = [](std::vector<float> const&, std::vector<float>& gradient, Pass) {
        std::fill(gradient.begin(), gradient.end(), 0.0f);
        return 1.0;
    };
    for (auto method : all_methods<float>({.rho = 0.1})) {
        std::vector<float> x(20);
        const auto before = x;  // zeros, which weight decay leaves alone
        for (int t = 0; t < 3; ++t) {
            const Report report = method->step(x, flat_loss);
            CAPTURE(method.name(), t);
            // Not-a-number on steps without a perturbation.
            CHECK_FALSE(report.perturbation_norm > 0);
            CHECK_FALSE(std::abs(report.sharpness()) > 0);
            CHECK(same_bits(x, before));
        }
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
    test::for_each_kind_of_method(adam, {}, [&](char const* name, auto optimizer) {
        CAPTURE(name);
        std::vector<std::vector<double>> x{{}, {1.0}, {}};
        CHECK_NOTHROW(optimizer.step(x, Valley{}));
    });
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
    BSAM literal{SGD{}, {.lambda = 0.6}};
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
