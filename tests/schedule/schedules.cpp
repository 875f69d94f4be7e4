#include "support/catch.hpp"

#include <cmath>
#include <cstdint>
#include <exception>
#include <limits>
#include <string>
#include <vector>

#include <polder/polder.hpp>

#include "support/valley.hpp"

using namespace polder;
using polder::test::same_bits;
using polder::test::Valley;

namespace {

template <class Optimizer>
std::vector<double> run(Optimizer& optimizer, int steps) {
    std::vector<double> x(9);
    test::set_start(x);
    for (int t = 0; t < steps; ++t) optimizer.step(x, Valley{});
    return x;
}

}  // namespace

TEST_CASE("schedules have their values", "[schedule]") {
    CHECK(schedules::One{}(7) == 1);
    CHECK(schedules::Step{.every = 3, .factor = 0.5}(2) == 1);
    CHECK(schedules::Step{.every = 3, .factor = 0.5}(6) == 0.25);
    CHECK(schedules::Exponential{.factor = 0.5}(3) == 0.125);
    CHECK(schedules::Cosine{.steps = 10, .last = 0.2}(0) == 1);
    CHECK(schedules::Cosine{.steps = 10, .last = 0.2}(5) == Approx(0.6));
    CHECK(schedules::Cosine{.steps = 10, .last = 0.2}(99) == 0.2);
    CHECK(schedules::WarmUp{.steps = 4}(0) == 0.25);
    CHECK(schedules::WarmUp{.steps = 4}(9) == 1);
    CHECK(schedules::Inverse{}(3) == 0.25);
    CHECK(schedules::product(schedules::Inverse{}, schedules::Exponential{.factor = 0.5})(1) ==
          0.25);
}

TEST_CASE("a schedule of the learning rate is the learning rate changed by hand", "[schedule]") {
    SAM scheduled{Adam{.learning_rate = 0.1}, {.rho = 0.1}}, by_hand = scheduled;
    scheduled.set_learning_rate_schedule(schedules::Exponential{.factor = 0.5});
    std::vector<double> x(9);
    test::set_start(x);
    for (int t = 0; t < 5; ++t) {
        by_hand.base().learning_rate =
            0.1 * schedules::Exponential{.factor = 0.5}(static_cast<unsigned>(t));
        by_hand.step(x, Valley{});
    }
    CHECK(same_bits(run(scheduled, 5), x));
}

TEST_CASE("a schedule of rho is the radius of each step", "[schedule]") {
    SAM optimizer{SGD{}, {.rho = 0.4}};
    optimizer.set_rho_schedule(schedules::Inverse{});
    std::vector<double> x(9);
    test::set_start(x);
    for (int t = 0; t < 5; ++t) {
        CHECK(optimizer.step(x, Valley{}).perturbation_norm == Approx(0.4 / (t + 1)));
    }
    optimizer.set_rho_schedule([](std::uint64_t) { return -1.0; });
    CHECK_THROWS_WITH(optimizer.step(x, Valley{}), ContainsSubstring("the schedule of rho = -1"));
}

TEST_CASE("an interval says on which steps a method is itself", "[schedule]") {
    auto const evaluations = [](Interval const& interval, bool epochs = false) {
        SAM optimizer{SGD{}, {.rho = 0.1}};
        optimizer.set_interval(interval);
        std::vector<double> x(4);
        std::string found;
        for (int t = 0; t < 8; ++t) {
            if (epochs && t % 4 == 0) optimizer.begin_epoch();
            found += std::to_string(optimizer.step(x, Valley{}).evaluations);
        }
        return found;
    };
    CHECK(evaluations({}) == "22222222");
    CHECK(evaluations({.every = 3}) == "21121121");
    CHECK(evaluations({.every = 3, .phase = Phase::last}) == "11211211");
    CHECK(evaluations({.every = 2, .warm_up = 3}) == "11121212");
    CHECK(evaluations({.every = 3, .restart_each_epoch = true}, true) == "21122112");
    CHECK(evaluations({.every = 100, .phase = Phase::last}) == "11111111");
    SAM optimizer{SGD{}};
    CHECK_THROWS_WITH(optimizer.set_interval({.every = 0}),
                      "polder: Interval.every = 0 is out of range; expected a number >= 1");
}

TEST_CASE("steps outside the interval are those of the base optimizer", "[schedule]") {
    BSAM optimizer{Adam{.learning_rate = 0.05}, {.rho = 0.1}};
    optimizer.set_interval({.every = 1, .warm_up = 1000});
    Plain base{Adam{.learning_rate = 0.05}};
    CHECK(same_bits(run(optimizer, 6), run(base, 6)));
    MirrorGradient mirror{Adam{.learning_rate = 0.05}, {.beta = 1000, .phase = Phase::last}};
    Plain again{Adam{.learning_rate = 0.05}};
    CHECK(same_bits(run(mirror, 6), run(again, 6)));
}

TEST_CASE("clipping limits the gradient that the base optimizer gets", "[schedule][closure]") {
    auto const steep = [](std::vector<double> const&, std::vector<double>& gradient) {
        gradient = {3, -4, 0};
        return 0.0;
    };
    Plain by_norm{SGD{.learning_rate = 1}}, by_value = by_norm, free = by_norm;
    by_norm.set_clipping({.norm = 1});
    by_value.set_clipping({.value = 3.5});
    std::vector<double> x(3), y(3);
    const Report report = by_norm.step(x, steep);
    CHECK(report.update_norm == 5);
    // torch.nn.utils.clip_grad_norm_ adds 1e-6 to the norm.
    CHECK(x[0] == Approx(-3 / (5 + 1e-6)).epsilon(1e-12));
    CHECK(x[1] == Approx(4 / (5 + 1e-6)).epsilon(1e-12));
    by_value.step(y, steep);
    CHECK(y == std::vector<double>{-3, 3.5, 0});
    // A limit that is not reached changes nothing.
    by_norm.set_clipping({.norm = 100});
    std::vector<double> a(3), b(3);
    by_norm.step(a, steep);
    free.step(b, steep);
    CHECK(a == b);
    CHECK_THROWS_WITH(by_norm.set_clipping({.norm = 0}), ContainsSubstring("Clipping.norm = 0"));
}

TEST_CASE("clipping makes no finite gradient of one that is not", "[schedule][closure]") {
    auto const check = [](char const* name, auto optimizer) {
        constexpr double infinity = std::numeric_limits<double>::infinity();
        for (double value : {infinity, -infinity, std::numeric_limits<double>::quiet_NaN()}) {
            CAPTURE(name, value);
            optimizer.set_clipping({.value = 0.1});
            std::vector<double> x{1, 2, 3};
            auto const before = x;
            auto const closure = [&](std::vector<double> const&, std::vector<double>& gradient) {
                gradient = {0.5, value, 1};
                return 1.0;
            };
            CHECK_THROWS_AS(optimizer.step(x, closure), NonFiniteError);
            CHECK(x == before);
            CHECK(optimizer.steps() == 0);
        }
    };
    check("SGD", Plain{SGD{}});
    check("Adam", Plain{Adam{}});
    check("LAMB", Plain{LAMB{}});
    check("SAM over LAMB", SAM{LAMB{}});
}

TEST_CASE("every argument of a schedule is checked where it is given, and where it is used",
          "[schedule]") {
    using Limits = std::numeric_limits<double>;
    auto const refused = [](auto const& schedule, std::string const& message) {
        CAPTURE(message);
        SAM optimizer{SGD{}};
        CHECK_THROWS_WITH(optimizer.set_learning_rate_schedule(schedule),
                          ContainsSubstring(message));
        CHECK_THROWS_WITH(
            optimizer.set_rho_schedule(schedules::product(schedules::One{}, schedule)),
            ContainsSubstring(message));
        CHECK_THROWS_WITH(schedule(3), ContainsSubstring(message));
        optimizer.set_learning_rate_schedule([schedule](std::uint64_t t) { return schedule(t); });
        std::vector<double> x{1, 2};
        CHECK_THROWS_WITH(optimizer.step(x, Valley{}), ContainsSubstring(message));
        CHECK(x == std::vector<double>{1, 2});
    };
    refused(schedules::Step{.every = 0}, "Step.every = 0 is out of range; expected a number >= 1");
    refused(schedules::Cosine{}, "Cosine.steps = 0 is out of range; expected a number >= 1");
    refused(schedules::WarmUp{}, "WarmUp.steps = 0 is out of range; expected a number >= 1");
    for (double bad : {-1.0, Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN()}) {
        refused(schedules::Step{.factor = bad}, "Step.factor = ");
        refused(schedules::Exponential{bad}, "Exponential.factor = ");
        refused(schedules::Cosine{.steps = 3, .last = bad}, "Cosine.last = ");
    }
    // At the ends of what is allowed a step is taken, or refused, and x stays finite.
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    auto const taken = [](auto const& schedule) {
        SAM optimizer{SGD{.learning_rate = 1e-3}};
        optimizer.set_learning_rate_schedule(schedule);
        optimizer.set_rho_schedule(schedule);
        std::vector<double> x{1, 2};
        for (int t = 0; t < 4; ++t) {
            try {
                optimizer.step(x, Valley{});
            } catch (std::exception const& e) {
                CHECK_THAT(e.what(),
                           ContainsSubstring("not finite") || ContainsSubstring("is out of range"));
            }
            CHECK((std::isfinite(x[0]) && std::isfinite(x[1])));
        }
    };
    for (std::uint64_t steps : {std::uint64_t{1}, most}) {
        for (double factor : {0.0, 1.0, Limits::denorm_min(), Limits::max()}) {
            taken(schedules::Step{steps, factor});
            taken(schedules::Exponential{factor});
            taken(schedules::Cosine{steps, factor});
            taken(schedules::WarmUp{steps});
        }
    }
}
