// Every operation with no memory at its first, second, ... allocation: it throws std::bad_alloc, everything is as it was, and
// nothing has leaked. Saving and loading are left out: nlohmann-json allocates in a destructor, so there the program ends.

#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <polder/average/weight_average.hpp>
#include <polder/polder.hpp>

#include "support/any_method.hpp"
#include "support/count_allocations.hpp"
#include "support/valley.hpp"

using namespace polder;
using polder::test::all_methods;
using polder::test::AnyContainer;
using polder::test::AnyMethod;
using polder::test::flat;
using polder::test::same_bits;
using polder::test::Valley;

namespace {

// Calls `operation` on what `make` makes, again and again, with the first, second, ... allocation failing, until none fails.
// After each failure, `bytes` of it are as before, and `operation` gives what it gives without a failure, as does what
// `go_on` does then. Returns how many allocations could fail.
template <class Make, class Operation, class Bytes, class GoOn>
std::size_t fail_each_allocation(Make const& make, Operation const& operation, Bytes const& bytes,
                                 GoOn const& go_on) {
    auto undisturbed = make();
    operation(undisturbed);
    std::string const expected = bytes(undisturbed);
    go_on(undisturbed);
    std::string const later = bytes(undisturbed);
    for (std::size_t n = 1;; ++n) {
        CAPTURE(n);
        bool failed = false, as_before = true, as_expected = true, goes_on = true;
        std::size_t const in_use = allocations_in_use();
        {
            auto subject = make();
            std::string const before = bytes(subject);
            fail_allocation(n);
            try {
                operation(subject);
            } catch (std::bad_alloc const&) {
                failed = true;
            }
            fail_allocation(0);
            if (failed) {
                as_before = bytes(subject) == before;
                operation(subject);
            }
            as_expected = bytes(subject) == expected;
            go_on(subject);
            goes_on = bytes(subject) == later;
        }
        std::size_t const leaked = allocations_in_use() - in_use;
        CHECK(as_before);
        CHECK(as_expected);
        CHECK(goes_on);
        CHECK(leaked == 0);
        if (!failed) return n - 1;
        REQUIRE(n < 10000);
    }
}

template <class T>
std::string as_bytes(std::vector<T> const& values) {
    return {reinterpret_cast<char const*>(values.data()), values.size() * sizeof(T)};
}

// A method with parameters in two blocks.
struct Trained {
    AnyMethod<double> method;
    std::vector<std::vector<double>> values{std::vector<double>(150), std::vector<double>(5)};
    bool bound = false;

    explicit Trained(AnyMethod<double> const& of, int steps = 0) : method(of) {
        test::set_start(values);
        for (int t = 0; t < steps; ++t) step();
    }
    void step() {
        auto x = AnyContainer<double>::of(values);
        method->step(x, Valley{});
        bound = true;
    }
    std::string bytes() {
        return as_bytes(flat(values)) + (bound ? method->state() : std::string());
    }
};
constexpr auto bytes_of = [](Trained& trained) { return trained.bytes(); };
constexpr auto one_step = [](Trained& trained) { trained.step(); };

// f(method) for every method, in one thread, so that the same allocation is the n-th in each run.
template <class F>
void for_each_method_in_one_thread(F const& f) {
    for (auto method : all_methods<double>({.every = 2}, true)) {
        CAPTURE(method.name());
        method->set_threads(1);
        f(method);
    }
}

}  // namespace

TEST_CASE("a first step without memory leaves everything as it was", "[closure]") {
    for_each_method_in_one_thread([](AnyMethod<double> const& method) {
        std::size_t const failures =
            fail_each_allocation([&] { return Trained(method); }, one_step, bytes_of, one_step);
        CHECK(failures > 10);
    });
}

TEST_CASE("a later step without memory in the closure leaves everything as it was", "[closure]") {
    for_each_method_in_one_thread([](AnyMethod<double> const& method) {
        // (The closure of these tests allocates; the step itself does not.)
        fail_each_allocation([&] { return Trained(method, 3); }, one_step, bytes_of, one_step);
    });
}

TEST_CASE("a step in place without memory leaves everything as it was", "[closure]") {
    for_each_method_in_one_thread([](AnyMethod<double> const& method) {
        auto const step_in_place = [](Trained& trained) {
            auto x = AnyContainer<double>::of(trained.values);
            std::vector<std::vector<double>> memory = trained.values;
            auto gradient = AnyContainer<double>::of(memory);
            trained.method->step_in_place(x, gradient,
                                          [&](Pass pass) { return Valley{}(x, gradient, pass); });
            trained.bound = true;
        };
        fail_each_allocation([&] { return Trained(method); }, step_in_place, bytes_of,
                             step_in_place);
        fail_each_allocation([&] { return Trained(method, 2); }, step_in_place, bytes_of,
                             step_in_place);
    });
}

TEST_CASE("a perturbation that is measured without memory changes nothing", "[closure]") {
    for_each_method_in_one_thread([](AnyMethod<double> const& method) {
        if (!method.traits().perturbs) return;
        auto const measure = [](Trained& trained) {
            auto x = AnyContainer<double>::of(trained.values);
            std::vector<std::vector<double>> memory = trained.values;
            auto eps = AnyContainer<double>::of(memory);
            trained.method->perturbation(x, Valley{}, eps);
        };
        fail_each_allocation([&] { return Trained(method); }, measure, bytes_of, one_step);
        fail_each_allocation([&] { return Trained(method, 2); }, measure, bytes_of, one_step);
    });
}

TEST_CASE("a copy without memory leaves the original as it was", "[closure]") {
    for_each_method_in_one_thread([](AnyMethod<double> const& method) {
        auto const copy = [](Trained& trained) { AnyMethod<double> const other = trained.method; };
        fail_each_allocation([&] { return Trained(method, 2); }, copy, bytes_of, one_step);
    });
}

TEST_CASE("new groups without memory leave everything as it was", "[groups]") {
    for_each_method_in_one_thread([](AnyMethod<double> const& method) {
        // Blocks that were frozen are counted by themselves from then on.
        auto const with_frozen_steps = [&] {
            Trained trained(method, 1);
            trained.method->set_groups({{.name = "still", .blocks = {"1"}, .frozen = true}});
            trained.step();
            return trained;
        };
        auto const set_groups = [](Trained& trained) {
            trained.method->set_groups(
                {{.name = "a group whose name needs memory", .blocks = {"0"}, .learning_rate = 0.5},
                 {.name = "another group with a long name", .blocks = {"1"}, .rho = 0.2}});
        };
        fail_each_allocation(with_frozen_steps, set_groups, bytes_of, one_step);
        // The next step assigns them.
        auto const with_new_groups = [&] {
            Trained trained = with_frozen_steps();
            set_groups(trained);
            return trained;
        };
        fail_each_allocation(with_new_groups, one_step, bytes_of, one_step);
    });
}

TEST_CASE("a mask without memory leaves everything as it was", "[perturb]") {
    for_each_method_in_one_thread([](AnyMethod<double> const& method) {
        if (!method.traits().masked) return;
        auto const set_mask = [](Trained& trained) {
            std::vector<std::uint8_t> mask(155);
            for (std::size_t i = 0; i < mask.size(); i += 3) mask[i] = 1;
            auto x = AnyContainer<double>::of(trained.values);
            trained.method->set_mask(x, mask);
        };
        fail_each_allocation([&] { return Trained(method, 2); }, set_mask, bytes_of, one_step);
        auto const in_a_new_epoch = [&] {
            Trained trained(method, 1);
            for (int epoch = 0; epoch < 6; ++epoch) trained.method->begin_epoch();
            return trained;
        };
        fail_each_allocation(in_a_new_epoch, one_step, bytes_of, one_step);
    });
}

namespace {

using Vector = std::vector<double>;

// An optimizer of any type with parameters in a vector.
template <class Optimizer>
struct Plainly {
    Optimizer optimizer;
    Vector x = Vector(40);

    explicit Plainly(Optimizer of, int steps = 0) : optimizer(std::move(of)) {
        test::set_start(x);
        for (int t = 0; t < steps; ++t) optimizer.step(x, Valley{});
    }
};
template <class Optimizer>
Plainly(Optimizer, int) -> Plainly<Optimizer>;

constexpr auto state_and_x = [](auto& subject) {
    return as_bytes(subject.x) + test::state_bytes(subject.optimizer);
};
constexpr auto step_of_it = [](auto& subject) { subject.optimizer.step(subject.x, Valley{}); };

}  // namespace

TEST_CASE("schedules, assignment and masks without memory leave an optimizer as it was",
          "[closure]") {
    auto const sam = [] { return Plainly(SAM{Adam{}}, 2); };
    // Too large for the place that std::function has.
    auto const set_schedule = [](auto& subject) {
        std::array<double, 8> factors{};
        factors.fill(0.5);
        subject.optimizer.set_learning_rate_schedule(
            [factors](std::uint64_t t) { return factors[t % factors.size()]; });
        subject.optimizer.set_rho_schedule(
            [factors](std::uint64_t t) { return factors[t % factors.size()]; });
    };
    // Two settings are two operations: the first may stay. So the next step is what the two of them give.
    CHECK(fail_each_allocation(sam, set_schedule, state_and_x, step_of_it) >= 2);

    SAM<Adam> const other = [] {
        SAM<Adam> made{Adam{.learning_rate = 0.5}};
        Vector x(40);
        made.step(x, Valley{});
        return made;
    }();
    auto const assign = [&](auto& subject) { subject.optimizer = other; };
    CHECK(fail_each_allocation(sam, assign, state_and_x, step_of_it) > 0);
}

TEST_CASE("an average of weights without memory leaves parameters and average as they were",
          "[closure]") {
    using Averaged = WeightAverage<SAM<Adam>>;
    struct OfAverage {
        Averaged optimizer{SAM{Adam{}}, {.decay = 0.5}};
        Vector x = Vector(40);
        OfAverage() { test::set_start(x); }
    };
    auto const x_alone = [](OfAverage& subject) { return as_bytes(subject.x); };
    auto const average = [](OfAverage& subject) {
        Vector mean(40);
        if (subject.optimizer.optimizer().steps() > 0) subject.optimizer.copy_to(mean);
        return as_bytes(subject.x) + as_bytes(mean);
    };
    CHECK(fail_each_allocation([] { return OfAverage(); }, step_of_it, average, step_of_it) > 10);
    auto const in_place = [](OfAverage& subject) {
        Vector gradient(40);
        subject.optimizer.step_in_place(
            subject.x, gradient, [&](Pass pass) { return Valley{}(subject.x, gradient, pass); });
    };
    CHECK(fail_each_allocation([] { return OfAverage(); }, in_place, average, in_place) > 10);
    auto const bind = [](OfAverage& subject) { subject.optimizer.bind(subject.x); };
    CHECK(fail_each_allocation([] { return OfAverage(); }, bind, x_alone, step_of_it) > 10);
}

TEST_CASE("an arena without memory for a parameter is as it was", "[blocks]") {
    auto const arena = [] {
        ParameterArena<double> made;
        made.add("a parameter with a long name", 3, 4);
        return made;
    };
    auto const add = [](ParameterArena<double>& made) {
        made.add("another parameter with a long name", 300, 4);
    };
    auto const bytes = [](ParameterArena<double>& made) {
        std::string text = std::to_string(made.size());
        for (auto const& entry : made.entries()) text += entry.name;
        return text;
    };
    CHECK(fail_each_allocation(arena, add, bytes, [](auto&) {}) > 1);
}
