// A step that does not come to its end leaves everything as it was.

#include "support/catch.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include <polder/polder.hpp>

#include "support/any_method.hpp"
#include "support/cases.hpp"
#include "support/valley.hpp"

using namespace polder;
using polder::test::all_methods;
using polder::test::AnyContainer;
using polder::test::AnyMethod;
using polder::test::Case;
using polder::test::cases;
using polder::test::flat;
using polder::test::same_bits;
using polder::test::Valley;

namespace {

const Adam adam{.learning_rate = 0.02};

struct Interrupted : std::runtime_error {
    using std::runtime_error::runtime_error;
};

template <class T>
using Closure = typename AnyMethod<T>::ContainerClosure;

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

auto const interrupt = [](double&, auto&) { throw Interrupted("interrupted"); };
auto const bad_loss = [](double& loss, auto&) { loss = std::numeric_limits<double>::quiet_NaN(); };

// One coordinate of the gradient becomes `value`.
struct BadGradient {
    std::size_t coordinate;
    double value;

    template <class C>
    void operator()(double&, C& gradient) const {
        std::size_t i = 0;
        for_each_block(gradient, [&]<class T>(T* data, std::size_t size) {
            if (i <= coordinate && coordinate < i + size) data[coordinate - i] = T(value);
            i += size;
        });
    }
};

BadGradient bad_gradient(Case& drawn) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    constexpr double values[] = {infinity, -infinity, std::numeric_limits<double>::quiet_NaN()};
    return {drawn.random.integer(0, drawn.coordinates() - 1), values[drawn.random.integer(0, 2)]};
}

// What a fresh method has become after some steps, and where one step more would lead.
template <class T>
struct Before {
    AnyMethod<T> method;
    AnyContainer<T> x;
    std::vector<T> expected;
    int evaluations;

    Before(AnyMethod<T> const& fresh, Case const& drawn, std::uint64_t steps)
        : method(fresh), x(drawn.parameters<T>()) {
        method->bind(x);
        for (std::uint64_t t = 0; t < steps; ++t) method->step(x, Valley{});
        auto undisturbed = method;
        auto y = x;
        evaluations = undisturbed->step(y, Valley{}).evaluations;
        expected = flat(y);
    }
};

// Spoils the n-th evaluation of a step, asks that x and state are as before, and that the optimizer goes on
// as if nothing had been. step(method, x, closure) asks that it fails.
template <class T, class Spoil, class Step>
void spoil_each_evaluation(Before<T>& before, Spoil const& spoil, Step const& step) {
    for (int call = 1; call <= before.evaluations; ++call) {
        auto spoiled = before.method;
        auto y = before.x;
        CAPTURE(before.method.name(), call);
        step(spoiled, y, SpoiledAt{call, spoil});
        CHECK(same_bits(flat(y), flat(before.x)));
        const bool same_state = spoiled->state() == before.method->state();
        CHECK(same_state);
        spoiled->step(y, Valley{});
        CHECK(same_bits(flat(y), before.expected));
    }
}

// A step that ends with the exception.
template <class Exception>
constexpr auto step_that_throws =
    []<class T>(AnyMethod<T>& method, AnyContainer<T>& x, Closure<T> const& closure) {
        CHECK_THROWS_AS(method->step(x, closure), Exception);
    };
template <class Exception>
constexpr auto step_in_place_that_throws =
    []<class T>(AnyMethod<T>& method, AnyContainer<T>& weights, Closure<T> const& closure) {
        auto gradient = weights;
        CHECK_THROWS_AS(
            method->step_in_place(weights, gradient,
                                  [&](Pass pass) { return closure(weights, gradient, pass); }),
            Exception);
    };

// f(drawn, before) with every method after a few steps; the count reaches every phase of an interval.
template <class T, class F>
void for_each_drawn_method(bool plain, F const& f) {
    for (Case drawn : cases(20)) {
        CAPTURE(drawn);
        const std::uint64_t steps = drawn.random.integer(0, 4);
        for (AnyMethod<T> const& method : all_methods<T>(drawn.settings, plain)) {
            CAPTURE(method.name(), steps);
            Before<T> before(method, drawn, steps);
            f(drawn, before);
        }
    }
}

}  // namespace

TEMPLATE_TEST_CASE("a closure that throws at any evaluation leaves x and state as they were",
                   "[closure]", float, double) {
    for_each_drawn_method<TestType>(true, [](Case&, auto& before) {
        spoil_each_evaluation(before, interrupt, step_that_throws<Interrupted>);
        spoil_each_evaluation(before, interrupt, step_in_place_that_throws<Interrupted>);
    });
}

TEMPLATE_TEST_CASE("a closure that throws while a perturbation is measured changes nothing",
                   "[closure]", float, double) {
    using T = TestType;
    auto const measure = [](AnyMethod<T>& method, AnyContainer<T>& x, Closure<T> const& closure) {
        auto eps = x;
        CHECK_THROWS_AS(method->perturbation(x, closure, eps), Interrupted);
    };
    for_each_drawn_method<T>(false, [&](Case&, Before<T>& before) {
        if (!before.method.traits().perturbs) return;
        auto eps = before.x;
        before.evaluations = before.method->perturbation(before.x, Valley{}, eps).evaluations;
        spoil_each_evaluation(before, interrupt, measure);
    });
}

TEMPLATE_TEST_CASE("a loss or gradient that is not finite raises at every evaluation", "[closure]",
                   float, double) {
    for_each_drawn_method<TestType>(true, [](Case& drawn, auto& before) {
        spoil_each_evaluation(before, bad_loss, step_that_throws<NonFiniteError>);
        spoil_each_evaluation(before, bad_loss, step_in_place_that_throws<NonFiniteError>);
        spoil_each_evaluation(before, bad_gradient(drawn), step_that_throws<NonFiniteError>);
        spoil_each_evaluation(before, bad_gradient(drawn),
                              step_in_place_that_throws<NonFiniteError>);
    });
}

TEST_CASE("the message of NonFiniteError names step and evaluation", "[closure]") {
    SAMPlus optimizer{adam};
    std::vector<double> x(3);
    test::set_start(x);
    optimizer.step(x, Valley{});
    auto const message = [&](int call, auto const& spoil, char const* expected) {
        SpoiledAt closure{call, spoil};
        CHECK_THROWS_WITH(optimizer.step(x, closure), expected);
    };
    const BadGradient bad_gradient{2, std::numeric_limits<double>::infinity()};
    message(1, bad_loss, "polder: step 2: the loss is not finite");
    message(1, bad_gradient, "polder: step 2: the gradient is not finite");
    message(2, bad_loss, "polder: step 2: the loss at the perturbed point is not finite");
    message(2, bad_gradient, "polder: step 2: the gradient at the perturbed point is not finite");
    message(3, bad_loss, "polder: step 2: the loss of the second batch is not finite");
    message(3, bad_gradient, "polder: step 2: the gradient of the second batch is not finite");
}

TEMPLATE_TEST_CASE("NonFinite::skip leaves the step out and counts it", "[closure]", float,
                   double) {
    for_each_drawn_method<TestType>(true, [](Case& drawn, auto& before) {
        auto& method = before.method;
        auto& x = before.x;
        auto const unchanged = flat(x);
        const std::uint64_t steps = method->steps();
        method->set_non_finite(NonFinite::skip);
        std::uint64_t skipped = 0;
        for (int call = 1; call <= before.evaluations; ++call) {
            CAPTURE(call);
            CHECK(method->step(x, SpoiledAt{call, bad_gradient(drawn)}).skipped);
            CHECK(method->step(x, SpoiledAt{call, bad_loss}).skipped);
            CHECK(same_bits(flat(x), unchanged));
            CHECK(method->skipped_steps() == (skipped += 2));
            CHECK(method->steps() == steps);
        }
        CHECK_FALSE(method->step(x, Valley{}).skipped);
        CHECK(same_bits(flat(x), before.expected));
    });
}

TEMPLATE_TEST_CASE("NonFinite::propagate lets the values through", "[closure]", float, double) {
    for_each_drawn_method<TestType>(true, [](Case& drawn, auto& before) {
        std::string state;
        auto const step = [&](int call, auto const& spoil) {
            auto method = before.method;
            auto x = before.x;
            method->set_non_finite(NonFinite::propagate);
            const std::uint64_t steps = method->steps();
            CHECK_FALSE(method->step(x, SpoiledAt{call, spoil}).skipped);
            CHECK(method->steps() == steps + 1);
            CHECK(method->skipped_steps() == 0);
            state = method->state();
            return flat(x);
        };
        for (int call = 1; call <= before.evaluations; ++call) {
            CAPTURE(call);
            CHECK(same_bits(step(call, bad_loss), before.expected));
            const BadGradient bad = bad_gradient(drawn);
            auto const x = step(call, bad);
            // What the base optimizer is given last reaches the parameter, or where it takes the sign of it, its
            // state, so that the state differs from that of a step with what is finite.
            if (call != before.evaluations) continue;
            if (before.method.traits().signs) {
                auto finite = before.method;
                auto y = before.x;
                finite->step(y, Valley{});
                CHECK(state != finite->state());
            } else {
                CHECK_FALSE(std::isfinite(x[bad.coordinate]));
            }
        }
    });
}

// Large parameters are checked in runs of coordinates as these are updated.
template <class Optimizer>
void raise_in_large_parameters(Optimizer optimizer, int call, char const* what) {
    constexpr std::size_t size = (std::size_t{8} << 20) / sizeof(float) + 5000;
    constexpr std::size_t bad = size - 3000;
    std::vector<float> x(size);
    test::set_start(x);
    auto calm = x;
    auto const before = x;
    Optimizer(optimizer).step(calm, Valley{});
    CHECK_THROWS_WITH(optimizer.step(x, SpoiledAt{call, BadGradient{bad, std::nan("")}}),
                      ContainsSubstring(what));
    bool kept = true;
    for (std::size_t i = 0; i < size; ++i) kept = kept && (x[i] == before[i] || x[i] == calm[i]);
    CHECK(kept);
    CHECK(x[bad] == before[bad]);
    CHECK(optimizer.steps() == 0);
}

TEST_CASE("large parameters that raise keep what is not finite out", "[closure]") {
    raise_in_large_parameters(Plain{SGD{.learning_rate = 1}}, 1, "the gradient is not");
    raise_in_large_parameters(SAM{adam}, 2, "the gradient at the perturbed point is not");
    raise_in_large_parameters(BSAMPlus{adam}, 2, "the gradient at the perturbed point is not");
    raise_in_large_parameters(BSAMPlus{adam}, 3, "the gradient of the second batch is not");
}
