// A step that does not come to its end leaves everything as it was.

#include "support/catch.hpp"

#include <limits>
#include <stdexcept>
#include <vector>

#include <polder/polder.hpp>

#include "support/methods.hpp"
#include "support/valley.hpp"

using namespace polder;
using polder::test::for_each_method;
using polder::test::same_bits;
using polder::test::state_bytes;
using polder::test::Valley;

namespace {

const Adam adam{.learning_rate = 0.02};

struct Interrupted : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Valley, but at its n-th call from now `spoil(loss, gradient)`.
template <class Spoil>
struct SpoiledAt {
    int call;
    Spoil spoil;

    template <class C>
    double operator()(C const& x, C& gradient, Pass pass) {
        double loss = Valley{}(x, gradient, pass);
        if (--call == 0) spoil(loss, gradient);
        return loss;
    }
};
template <class Spoil>
SpoiledAt(int, Spoil) -> SpoiledAt<Spoil>;

const auto interrupt = [](double&, auto&) { throw Interrupted("interrupted"); };
const auto bad_loss = [](double& loss, auto&) { loss = std::numeric_limits<double>::quiet_NaN(); };
const auto bad_gradient = [](double&, auto& gradient) {
    gradient[gradient.size() - 1] = std::numeric_limits<double>::infinity();
};

// Steps, spoils the n-th evaluation of one, asks that x and state are as before, and that the optimizer
// goes on as if nothing had been.
template <class Optimizer, class Spoil, class Step>
void spoil_each_evaluation(char const* name, Optimizer optimizer, Spoil const& spoil,
                           Step const& step) {
    std::vector<double> x(30);
    test::set_start(x);
    int evaluations = 0;
    for (int t = 0; t < 3; ++t) evaluations = optimizer.step(x, Valley{}).evaluations;
    auto undisturbed = optimizer;
    auto expected = x;
    undisturbed.step(expected, Valley{});

    for (int call = 1; call <= evaluations; ++call) {
        auto spoiled = optimizer;
        auto y = x;
        CAPTURE(name, call);
        step(spoiled, y, SpoiledAt{call, spoil});
        CHECK(same_bits(y, x));
        CHECK(state_bytes(spoiled) == state_bytes(optimizer));
        spoiled.step(y, Valley{});
        CHECK(same_bits(y, expected));
    }
}

}  // namespace

TEST_CASE("a closure that throws at any evaluation leaves x and state as they were", "[closure]") {
    const auto step = [](auto& optimizer, auto& x, auto closure) {
        CHECK_THROWS_AS(optimizer.step(x, closure), Interrupted);
    };
    spoil_each_evaluation("plain", Plain{adam}, interrupt, step);
    for_each_method(adam, {.rho = 0.1}, [&](char const* name, auto const& optimizer) {
        spoil_each_evaluation(name, optimizer, interrupt, step);
    });
}

TEST_CASE("a closure that throws at any evaluation leaves a model as it was", "[closure]") {
    const auto step = [](auto& optimizer, auto& weights, auto closure) {
        auto gradient = weights;
        CHECK_THROWS_AS(
            optimizer.step_in_place(weights, gradient,
                                    [&](Pass pass) { return closure(weights, gradient, pass); }),
            Interrupted);
    };
    for_each_method(adam, {.rho = 0.1}, [&](char const* name, auto const& optimizer) {
        spoil_each_evaluation(name, optimizer, interrupt, step);
    });
}

TEST_CASE("a loss or gradient that is not finite raises at every evaluation", "[closure]") {
    const auto step = [](auto& optimizer, auto& x, auto closure) {
        CHECK_THROWS_AS(optimizer.step(x, closure), NonFiniteError);
    };
    spoil_each_evaluation("plain", Plain{adam}, bad_loss, step);
    spoil_each_evaluation("plain", Plain{adam}, bad_gradient, step);
    for_each_method(adam, {.rho = 0.1}, [&](char const* name, auto const& optimizer) {
        spoil_each_evaluation(name, optimizer, bad_loss, step);
        spoil_each_evaluation(name, optimizer, bad_gradient, step);
    });
}

TEST_CASE("the message of NonFiniteError names step and evaluation", "[closure]") {
    SAMPlus optimizer{adam};
    std::vector<double> x(3);
    test::set_start(x);
    optimizer.step(x, Valley{});
    const auto message = [&](int call, auto const& spoil, char const* expected) {
        SpoiledAt closure{call, spoil};
        CHECK_THROWS_WITH(optimizer.step(x, closure), expected);
    };
    message(1, bad_loss, "polder: step 2: the loss is not finite");
    message(1, bad_gradient, "polder: step 2: the gradient is not finite");
    message(2, bad_loss, "polder: step 2: the loss at the perturbed point is not finite");
    message(2, bad_gradient, "polder: step 2: the gradient at the perturbed point is not finite");
    message(3, bad_loss, "polder: step 2: the loss of the second batch is not finite");
    message(3, bad_gradient, "polder: step 2: the gradient of the second batch is not finite");
}

TEST_CASE("NonFinite::skip leaves the step out and counts it", "[closure]") {
    const auto skip_each = [](char const* name, auto optimizer) {
        optimizer.set_non_finite(NonFinite::skip);
        std::vector<double> x(30);
        test::set_start(x);
        const int evaluations = optimizer.step(x, Valley{}).evaluations;
        std::uint64_t skipped = 0;
        for (int call = 1; call <= evaluations; ++call) {
            const auto before = x;
            CAPTURE(name, call);
            CHECK(optimizer.step(x, SpoiledAt{call, bad_gradient}).skipped);
            CHECK(optimizer.step(x, SpoiledAt{call, bad_loss}).skipped);
            CHECK(same_bits(x, before));
            CHECK(optimizer.skipped_steps() == (skipped += 2));
            CHECK(optimizer.steps() == 1);
        }
        CHECK_FALSE(optimizer.step(x, Valley{}).skipped);
    };
    skip_each("plain", Plain{adam});
    for_each_method(adam, {.rho = 0.1}, skip_each);
}

TEST_CASE("NonFinite::propagate lets the values through", "[closure]") {
    SAM optimizer{adam};
    optimizer.set_non_finite(NonFinite::propagate);
    std::vector<double> x(3);
    test::set_start(x);
    CHECK_NOTHROW(optimizer.step(x, SpoiledAt{2, bad_gradient}));
    CHECK(std::isnan(x[2]));
    CHECK(optimizer.steps() == 1);
}

TEST_CASE("a plain step that raises does not write what is not finite", "[closure]") {
    // Runs of coordinates that are finite may have been updated: there is no pass to look first.
    Plain optimizer{SGD{.learning_rate = 1}};
    std::vector<double> x(3 * Layout::chunk_size);
    test::set_start(x);
    CHECK_THROWS_AS(optimizer.step(x, SpoiledAt{1, bad_gradient}), NonFiniteError);
    for (double value : x) REQUIRE(std::isfinite(value));
}
