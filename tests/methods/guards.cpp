// A method that asks for more than there is room for, or for the same thing twice, breaks nothing.

#include "support/catch.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/polder.hpp>

#include "support/valley.hpp"

using namespace polder;
using test::same_bits;
using test::Valley;
using Vector = std::vector<double>;

namespace {

struct Copy {
    struct At {
        template <class V>
        POLDER_INLINE void operator()(V& to, V from) const {
            to = from;
        }
    };
    template <class T>
    At at(Site<T> const&) const {
        return {};
    }
};

// u = g; sets its counter `sets` times, or more counters than one may.
struct Counting {
    int counters = 1, sets = 1;
    struct State {
        std::vector<CounterId> counter;
    };
    void validate() const {}
    State init(Plan& plan) const {
        plan.gradients(1);
        State state;
        for (int k = 0; k < counters; ++k)
            state.counter.push_back(plan.counter("count" + std::to_string(k)));
        return state;
    }
    template <class Run, class Base>
    void step(Run& run, State const& state, Base const& base) const {
        for (CounterId const counter : state.counter) {
            for (int k = 0; k < sets; ++k) run.set(counter, run.get(counter) + 1);
        }
        base.descend(run, 1 * run.gradient(B1, run.x()));
    }
};

// u = g; keeps g, and asks for its new values twice.
struct Keeping {
    struct State {
        Succession e;
    };
    void validate() const {}
    State init(Plan& plan) const {
        plan.gradients(1);
        return {plan.succession("e")};
    }
    template <class Run, class Base>
    void step(Run& run, State const& state, Base const& base) const {
        auto g = run.gradient(B1, run.x());
        for (int k = 0; k < 2; ++k) run.map(Copy{}, Written{run.next(state.e)}, g);
        base.descend(run, 1 * std::move(g));
    }
};

// u = the sum of five gradients.
struct FiveGradients {
    struct State {};
    static constexpr bool samples = true;
    void validate() const {}
    State init(Plan& plan) const {
        plan.gradients(5);
        return {};
    }
    template <class Run, class Base>
    void step(Run& run, State const&, Base const& base) const {
        auto a = run.sample(0), b = run.sample(1), c = run.sample(2), d = run.sample(3),
             e = run.sample(4);
        base.descend(run, 1 * std::move(a) + 1 * std::move(b) + 1 * std::move(c) +
                              1 * std::move(d) + 1 * std::move(e));
    }
};

// Descends to a point and from there to x, and does not say so in init.
struct Forgetful {
    struct State {
        PointId there;
    };
    void validate() const {}
    State init(Plan& plan) const {
        plan.gradients(1);
        return {plan.point(Evaluation::mirrored)};
    }
    template <class Run, class Base>
    void step(Run& run, State const& state, Base const& base) const {
        base.descend_elsewhere(run, state.there, 1 * run.gradient(B1, run.x()));
        base.descend_again(run, state.there, 1 * run.gradient(B1, state.there));
    }
};

}  // namespace

TEST_CASE("a method that descends elsewhere and has not said so is refused", "[methods]") {
    Vector x(9);
    test::set_start(x);
    const Vector before = x;
    Optimizer forgetful{Forgetful{}, Adam{}};
    CHECK_THROWS_WITH(
        forgetful.step(x, Valley{}),
        "polder: a method that descends elsewhere says so in init: plan.descends_elsewhere()");
    CHECK(same_bits(x, before));
}

TEST_CASE("a counter that is set twice has the last value, and too many are refused", "[methods]") {
    Vector x(9);
    test::set_start(x);
    Optimizer twice{Counting{1, 7}, SGD{}};
    for (int t = 0; t < 3; ++t) twice.step(x, Valley{});
    twice.visit_state([](std::string_view name, auto&& value) {
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, std::uint64_t>) {
            if (name == "count0") CHECK(value == 3);
        }
    });
    Optimizer many{Counting{5, 1}, SGD{}};
    const Vector before = x;
    CHECK_THROWS_WITH(
        many.step(x, Valley{}),
        "polder: a step writes more arrays, masks or counters that last than there is "
        "room for");
    CHECK(same_bits(x, before));
}

TEST_CASE("new values that are asked for twice are written once", "[methods]") {
    Vector x(9), gradient(9);
    test::set_start(x);
    Optimizer optimizer{Keeping{}, SGD{.learning_rate = 0.1}};
    for (int t = 0; t < 3; ++t) {
        Valley{}(x, gradient, Pass{});
        optimizer.step(x, Valley{});
        optimizer.visit_state([&](std::string_view name, auto&& value) {
            if constexpr (requires { value.begin(); }) {
                if (name == "e") CHECK(Vector(value.begin(), value.end()) == gradient);
            }
        });
    }
}

TEST_CASE("every gradient of a long blend is checked", "[methods]") {
    for (int bad = 0; bad < 5; ++bad) {
        Vector x(9);
        test::set_start(x);
        Optimizer optimizer{FiveGradients{}, Adam{}};
        optimizer.set_non_finite(NonFinite::skip);
        int wanted = -1;
        auto const closure = [&](Vector const& at, Vector& gradient, Pass pass) {
            const double loss = Valley{}(at, gradient, Pass{});
            if (pass.sample == wanted) gradient[4] = std::numeric_limits<double>::quiet_NaN();
            return loss;
        };
        optimizer.step(x, closure);
        auto expected = optimizer;
        Vector y = x;
        wanted = bad;
        CHECK(optimizer.step(x, closure).skipped);
        wanted = -1;
        optimizer.step(x, closure);
        expected.step(y, closure);
        CHECK(same_bits(x, y));
    }
}

TEST_CASE("there is room for any number of ascents", "[methods]") {
    std::vector<Vector> x(20, Vector(3, 0.5)), y = x;
    auto const closure = [](auto const& at, auto& gradient) {
        double loss = 0;
        for (std::size_t b = 0; b < at.size(); ++b) {
            for (std::size_t i = 0; i < at[b].size(); ++i) {
                gradient[b][i] = std::sin(at[b][i]);
                loss += 1 - std::cos(at[b][i]);
            }
        }
        return loss;
    };
    Sharpness of_all{SeveralAscents<EuclideanBall>{{.rho = 1e-4}, 100}, NoDistance{}, NoMix{},
                     SGD{}};
    // All ascents go along the gradient at x, nearly.
    CHECK(of_all.step(x, closure).perturbation_norm == Approx(1e-2).epsilon(1e-3));
    Sharpness per_block{
        SeveralAscents<FisherBall<BatchFisher, MetricNormPerBlock>>{{.rho = 1e-4}, 100},
        NoDistance{}, NoMix{}, SGD{}};
    CHECK(per_block.step(y, closure).perturbation_norm > 0);
}

TEST_CASE("Plus around a masked method is the method with a mix of two batches", "[methods]") {
    Vector x(9);
    test::set_start(x);
    Vector y = x;
    using Ball = Masked<EuclideanBall, DynamicMask>;
    Optimizer around{Plus<Family<Ball, NoDistance, NoMix>>{}, SGD{.learning_rate = 0.1}};
    Sharpness mix{Ball{}, NoDistance{}, TwoBatches{}, SGD{.learning_rate = 0.1}};
    for (int t = 0; t < 5; ++t) {
        around.step(x, Valley{});
        mix.step(y, Valley{});
        CHECK(same_bits(x, y));
    }
}
