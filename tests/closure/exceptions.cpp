// A step that does not come to its end leaves everything as it was.

#include "support/catch.hpp"

#include <limits>
#include <stdexcept>
#include <vector>

#include <polder/polder.hpp>

#include "support/any_method.hpp"
#include "support/valley.hpp"

using namespace polder;
using polder::test::all_methods;
using polder::test::AnyMethod;
using polder::test::same_bits;
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

using Vector = std::vector<double>;
using Closure = AnyMethod<double>::Closure;

// Steps, spoils the n-th evaluation of one, asks that x and state are as before, and that the optimizer
// goes on as if nothing had been. step(method, x, closure) asks that it fails.
template <class Spoil, class Step>
void spoil_each_evaluation(AnyMethod<double> method, Spoil const& spoil, Step const& step) {
    Vector x(30);
    test::set_start(x);
    // The fourth step is one with an ascent for all methods.
    for (int t = 0; t < 3; ++t) method->step(x, Valley{});
    auto undisturbed = method;
    auto expected = x;
    const int evaluations = undisturbed->step(expected, Valley{}).evaluations;

    for (int call = 1; call <= evaluations; ++call) {
        auto spoiled = method;
        auto y = x;
        CAPTURE(method.name(), call);
        step(spoiled, y, SpoiledAt{call, spoil});
        CHECK(same_bits(y, x));
        CHECK(spoiled->state() == method->state());
        spoiled->step(y, Valley{});
        CHECK(same_bits(y, expected));
    }
}

}  // namespace

TEST_CASE("a closure that throws at any evaluation leaves x and state as they were", "[closure]") {
    const auto step = [](AnyMethod<double>& method, Vector& x, Closure const& closure) {
        CHECK_THROWS_AS(method->step(x, closure), Interrupted);
    };
    for (auto const& method : all_methods<double>({.rho = 0.1}, true)) {
        spoil_each_evaluation(method, interrupt, step);
    }
}

TEST_CASE("a closure that throws at any evaluation leaves a model as it was", "[closure]") {
    const auto step = [](AnyMethod<double>& method, Vector& weights, Closure const& closure) {
        auto gradient = weights;
        CHECK_THROWS_AS(
            method->step_in_place(weights, gradient,
                                  [&](Pass pass) { return closure(weights, gradient, pass); }),
            Interrupted);
    };
    for (auto const& method : all_methods<double>({.rho = 0.1}, true)) {
        spoil_each_evaluation(method, interrupt, step);
    }
}

TEST_CASE("a loss or gradient that is not finite raises at every evaluation", "[closure]") {
    const auto step = [](AnyMethod<double>& method, Vector& x, Closure const& closure) {
        CHECK_THROWS_AS(method->step(x, closure), NonFiniteError);
    };
    for (auto const& method : all_methods<double>({.rho = 0.1}, true)) {
        spoil_each_evaluation(method, bad_loss, step);
        spoil_each_evaluation(method, bad_gradient, step);
    }
}

TEST_CASE("a model is as it was where a loss or gradient of it is not finite", "[closure]") {
    const auto step = [](AnyMethod<double>& method, Vector& weights, Closure const& closure) {
        auto gradient = weights;
        CHECK_THROWS_AS(
            method->step_in_place(weights, gradient,
                                  [&](Pass pass) { return closure(weights, gradient, pass); }),
            NonFiniteError);
    };
    for (auto const& method : all_methods<double>({.rho = 0.1})) {
        spoil_each_evaluation(method, bad_loss, step);
        spoil_each_evaluation(method, bad_gradient, step);
    }
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
    for (auto method : all_methods<double>({.rho = 0.1}, true)) {
        method->set_non_finite(NonFinite::skip);
        Vector x(30);
        test::set_start(x);
        method->step(x, Valley{});
        auto undisturbed = method;
        auto y = x;
        const int evaluations = undisturbed->step(y, Valley{}).evaluations;
        std::uint64_t skipped = 0;
        for (int call = 1; call <= evaluations; ++call) {
            const auto before = x;
            CAPTURE(method.name(), call);
            CHECK(method->step(x, SpoiledAt{call, bad_gradient}).skipped);
            CHECK(method->step(x, SpoiledAt{call, bad_loss}).skipped);
            CHECK(same_bits(x, before));
            CHECK(method->skipped_steps() == (skipped += 2));
            CHECK(method->steps() == 1);
        }
        CHECK_FALSE(method->step(x, Valley{}).skipped);
    }
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
