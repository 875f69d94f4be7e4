// Two gradients at once, and batches in parts.

#include "support/catch.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstddef>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <polder/any_optimizer.hpp>
#include <polder/engine/parallel.hpp>
#include <polder/polder.hpp>

#include "support/valley.hpp"

#if defined(_OPENMP)
#include <omp.h>
#endif

using namespace polder;
using Vector = std::vector<double>;

namespace {

// Counts calls that are under way. If `waits`, a call that may have company waits for it.
class Company {
public:
    explicit Company(bool waits) : waits_(waits) {}
    void enter(bool told) {
        std::unique_lock lock(mutex_);
        times_told += told ? 1 : 0;
        most = std::max(most, ++inside_);
        changed_.notify_all();
        if (waits_) changed_.wait_for(lock, std::chrono::seconds(5), [&] { return most > 1; });
    }
    void leave() {
        std::lock_guard const lock(mutex_);
        --inside_;
    }
    int most = 0;
    int times_told = 0;  // calls that know of company

private:
    bool waits_;
    int inside_ = 0;
    std::mutex mutex_;
    std::condition_variable changed_;
};

// The mean over samples from .. to - 1 of |x - target of the sample|^2 / 2.
double loss_of(Vector const& at, Vector& gradient, Pass pass, int from, int to) {
    std::fill(gradient.begin(), gradient.end(), 0);
    double loss = 0;
    for (int sample = from; sample < to; ++sample) {
        for (std::size_t i = 0; i < at.size(); ++i) {
            const double shift = pass.batch == Batch::first ? 0 : 3;
            const double d = at[i] - std::sin(sample * 7 + static_cast<double>(i) + shift);
            gradient[i] += d / (to - from);
            loss += d * d / 2 / (to - from);
        }
    }
    return loss;
}
double whole(Vector const& at, Vector& gradient, Pass pass) {
    return loss_of(at, gradient, pass, 0, 12);
}

// OpenMP has so many threads.
class WithThreads {
public:
    explicit WithThreads([[maybe_unused]] int threads) {
#if defined(_OPENMP)
        omp_set_num_threads(threads);
#endif
    }
    ~WithThreads() {
#if defined(_OPENMP)
        omp_set_num_threads(before_);
#endif
    }

private:
    [[maybe_unused]] int before_ = default_threads();
};

template <class Closure>
std::pair<Vector, Report> train(auto optimizer, Closure&& closure) {
    Vector x(20, 1.0);
    Report report;
    for (int t = 0; t < 6; ++t) report = optimizer.step(x, closure);
    return {x, report};
}

// Whether two gradients of a step are computed at once, with the same result as one after the other.
void check_at_once(std::string const& name, auto const& optimizer, bool independent) {
    CAPTURE(name);
    Company company(false);
    auto const counted = [&](Company& who) {
        return [&](Vector const& at, Vector& gradient, Pass pass) {
            const bool may_have_company = pass.perturbed || pass.batch == Batch::second;
            if (may_have_company) who.enter(pass.at_once);
            const double loss = whole(at, gradient, pass);
            if (may_have_company) who.leave();
            return loss;
        };
    };
    auto const [x, report] = train(optimizer, counted(company));
    CHECK(company.most == 1);
    CHECK(company.times_told == 0);
    for (int threads : {2, 3}) {  // in a thread of OpenMP, and in another
        WithThreads const with(threads);
        Company pairs(independent);
        auto const [y, at_once] = train(optimizer, concurrent(counted(pairs)));
        CHECK(pairs.most == (independent ? 2 : 1));
        CHECK(pairs.times_told == (independent ? 2 * 6 : 0));
        CHECK(x == y);
        CHECK(report.evaluations == at_once.evaluations);
        auto const losses = [](Report const& r) {
            return Vector{r.loss, r.perturbed_loss, r.second_loss};
        };
        CHECK(test::same_bits(losses(report), losses(at_once)));
    }
}

}  // namespace

TEST_CASE("gradients that need nothing of each other are computed at once", "[closure][threads]") {
    check_at_once("BSAM+", BSAMPlus{Adam{.learning_rate = 0.1}}, true);
    check_at_once("FSAM+", FSAMPlus{SGD{.learning_rate = 0.1, .momentum = 0.9}}, true);
    check_at_once("SAMPa", SAMPa{SGD{.learning_rate = 0.1}}, true);
    check_at_once("SAM", SAM{Adam{.learning_rate = 0.1}}, false);
    check_at_once("Mirror Gradient", MirrorGradient{SGD{.learning_rate = 0.1}}, false);
}

namespace {

// s of batch A at x + eps and h of batch B at x, u = (s + h) / 2.
template <Batch A, Batch B>
struct Pair {
    Family<EuclideanBall, NoDistance, NoMix> sam{};

    static constexpr int batches = 2;
    void validate() const {}
    auto init(Plan& plan) const {
        auto state = sam.init(plan);
        plan.gradients(2);
        return state;
    }
    template <class Run, class State, class Base>
    void step(Run& run, State const& state, Base const& base) const {
        auto [g, y] = sam.place(run, state);
        auto s = run.gradient(BatchTag<A>{}, y, std::move(g));
        auto h = run.gradient(BatchTag<B>{}, run.x());
        base.descend(run, 0.5 * std::move(s) + 0.5 * std::move(h));
    }
};

}  // namespace

TEST_CASE("calls at once are of two batches, the first one in the thread of the step",
          "[closure][threads]") {
    const SGD sgd{.learning_rate = 0.1};
    check_at_once("B1 and B2", Optimizer{Pair<Batch::first, Batch::second>{}, sgd}, true);
    check_at_once("B1 twice", Optimizer{Pair<Batch::first, Batch::first>{}, sgd}, false);

    auto const here = std::this_thread::get_id();
    std::atomic<int> elsewhere = 0;
    auto const watched = [&](Vector const& at, Vector& gradient, Pass pass) {
        if (std::this_thread::get_id() == here) {
            CHECK(pass.batch == Batch::first);
        } else if (pass.batch == Batch::second) {
            ++elsewhere;
        }
        return whole(at, gradient, pass);
    };
    train(BSAMPlus{sgd}, concurrent(watched));
    CHECK(elsewhere == 6);

    Vector x(20, 1.0);
    bool is_placed = false;
    auto const failing = [&](Vector const& at, Vector& gradient, Pass pass) -> double {
        if (!is_placed) {
            is_placed = true;
            return whole(at, gradient, pass);
        }
        throw std::runtime_error(pass.batch == Batch::first ? "of the first" : "of the second");
    };
    Optimizer optimizer{Pair<Batch::second, Batch::first>{}, sgd};
    CHECK_THROWS_WITH(optimizer.step(x, concurrent(failing)), "of the first");
}

#if defined(_OPENMP)
// A loop without a parallel of its own is spread over the threads of the caller's, if there are any.
void fill_with_loop(Vector const& at, Vector& gradient, double target) {
#pragma omp for
    for (std::size_t i = 0; i < at.size(); ++i) gradient[i] = at[i] - target;
#pragma omp single
    gradient[0] += 1;
#pragma omp barrier
}

TEST_CASE("in calls at once OpenMP's loops run on one thread each", "[closure][threads]") {
    auto const with_loop = [](Vector const& at, Vector& gradient, Pass pass) {
        std::fill(gradient.begin(), gradient.end(), 0);
        fill_with_loop(at, gradient, pass.batch == Batch::first ? 0.1 : 0.4);
        return 1.0;
    };
    auto const expected = train(BSAMPlus{Adam{}}, with_loop).first;
    for (int threads : {1, 2, 3}) {
        WithThreads const with(threads);
        CHECK(train(BSAMPlus{Adam{}}, concurrent(with_loop)).first == expected);
    }
}
#endif

TEST_CASE("a closure that throws after it has resized its gradient spoils no later step",
          "[closure][exceptions]") {
    auto const check = [](auto const& as_asked) {
        BSAMPlus optimizer{Adam{}};
        Vector x(20, 1.0);
        bool is_faulty = true;
        auto const closure = [&](Vector const& at, Vector& gradient, Pass pass) {
            if (is_faulty && pass.batch == Batch::second) {
                gradient = Vector();
                throw std::runtime_error("resized");
            }
            return whole(at, gradient, pass);
        };
        CHECK_THROWS_WITH(optimizer.step(x, as_asked(closure)), "resized");
        CHECK(x == Vector(20, 1.0));
        is_faulty = false;
        optimizer.step(x, as_asked(closure));
        Vector expected(20, 1.0);
        BSAMPlus{Adam{}}.step(expected, whole);
        CHECK(x == expected);
    };
    check([](auto const& closure) -> auto const& { return closure; });
    check([](auto const& closure) { return concurrent(closure); });
}

TEST_CASE("any optimizer calls at once what may be", "[closure][threads]") {
    using Any = AnyOptimizer<Vector>;
    auto const calls = [](Company& who) {
        return [&who](Vector const& at, Vector& gradient, Pass pass) {
            const bool may_have_company = pass.perturbed || pass.batch == Batch::second;
            if (may_have_company) who.enter(pass.at_once);
            const double loss = whole(at, gradient, pass);
            if (may_have_company) who.leave();
            return loss;
        };
    };
    auto const run = [](Any::Closure const& closure) {
        Any optimizer(BSAMPlus{Adam{.learning_rate = 0.1}});
        Vector x(20, 1.0);
        for (int t = 0; t < 6; ++t) optimizer.step(x, closure);
        return x;
    };
    Company alone(false), together(true), in_parts(true);
    const Vector x = run(calls(alone));
    CHECK(alone.most == 1);
    CHECK(run(concurrent(calls(together))) == x);
    CHECK(together.most == 2);
    run(micro_batches(2, concurrent(calls(in_parts))));
    CHECK(in_parts.most == 2);
}

TEST_CASE("a closure for each batch may be called at once", "[closure][threads]") {
    auto const [x, report] = train(BSAMPlus{Adam{}}, whole);
    auto const of = [](Batch batch) {
        return [batch](auto const& at, auto& gradient) { return whole(at, gradient, {batch}); };
    };
    CHECK(train(BSAMPlus{Adam{}}, concurrent(of(Batch::first), of(Batch::second))).first == x);
    CHECK(train(BSAMPlus{Adam{}}, concurrent(whole, of(Batch::second))).first == x);
    // What has a name keeps its state.
    struct Counting {
        int calls = 0;
        double operator()(Vector const& at, Vector& gradient, Pass pass) {
            ++calls;
            return whole(at, gradient, pass);
        }
    } first, second;
    Vector y(20, 1.0);
    BSAMPlus optimizer{Adam{}};
    for (int t = 0; t < 3; ++t) optimizer.step(y, concurrent(first, second));
    CHECK(first.calls == 6);
    CHECK(second.calls == 3);
    SAM sam{Adam{}};
    for (int t = 0; t < 3; ++t) sam.step(y, concurrent(first));
    CHECK(first.calls == 12);
}

TEST_CASE("what one of two calls throws leaves everything as it was",
          "[closure][exceptions][threads]") {
    BSAMPlus optimizer{Adam{.learning_rate = 0.1}};
    Vector x(20, 1.0);
    optimizer.step(x, concurrent(whole));
    const Vector before = x;
    auto const failing = [&](bool first, bool second) {
        return concurrent([=](Vector const& at, Vector& gradient, Pass pass) {
            const double loss = whole(at, gradient, pass);
            if (first && pass.perturbed) throw std::runtime_error("the first batch");
            if (second && pass.batch == Batch::second) throw std::runtime_error("the second batch");
            return loss;
        });
    };
    CHECK_THROWS_WITH(optimizer.step(x, failing(true, false)), "the first batch");
    CHECK_THROWS_WITH(optimizer.step(x, failing(false, true)), "the second batch");
    CHECK_THROWS_WITH(optimizer.step(x, failing(true, true)), "the first batch");
    auto const not_finite = concurrent([](Vector const& at, Vector& gradient, Pass pass) {
        const double loss = whole(at, gradient, pass);
        return pass.batch == Batch::second ? std::numeric_limits<double>::quiet_NaN() : loss;
    });
    CHECK_THROWS_AS(optimizer.step(x, not_finite), NonFiniteError);
    CHECK(x == before);

    // The state is as it was, too.
    BSAMPlus other{Adam{.learning_rate = 0.1}};
    Vector y(20, 1.0);
    for (int t = 0; t < 3; ++t) other.step(y, whole);
    for (int t = 0; t < 2; ++t) optimizer.step(x, concurrent(whole));
    CHECK(x == y);
}

TEST_CASE("micro-batches are the whole batch to rounding", "[closure]") {
    auto const trained = train(BSAMPlus{Adam{.learning_rate = 0.1}}, whole);
    auto const& x = trained.first;
    std::vector<Pass> passes;
    auto const part = [&](Vector const& at, Vector& gradient, Pass pass) {
        passes.push_back(pass);
        return loss_of(at, gradient, pass, 4 * pass.micro_batch, 4 * pass.micro_batch + 4);
    };
    auto const check_equal = [&](auto&& closure) {
        auto const [y, parts] = train(BSAMPlus{Adam{.learning_rate = 0.1}}, closure);
        CHECK(parts.loss == Approx(trained.second.loss).epsilon(1e-13));
        for (std::size_t i = 0; i < x.size(); ++i) CHECK(y[i] == Approx(x[i]).epsilon(1e-12));
    };
    check_equal(micro_batches(3, part));
    REQUIRE(passes.size() == 6 * 9);
    for (std::size_t k = 0; k < 9; ++k) {
        Pass expected{k < 6 ? Batch::first : Batch::second, k / 3 == 1};
        expected.micro_batch = static_cast<int>(k % 3);
        CHECK(passes[k] == expected);
    }
    auto const silent = [](Vector const& at, Vector& gradient, Pass pass) {
        return loss_of(at, gradient, pass, 4 * pass.micro_batch, 4 * pass.micro_batch + 4);
    };
    check_equal(micro_batches(3, concurrent(silent)));
    check_equal(concurrent(micro_batches(3, silent)));
    auto third = [&](Vector const& at, Vector& gradient, Pass pass) {
        const double loss = silent(at, gradient, pass);
        for (double& g : gradient) g /= 3;
        return loss / 3;
    };
    check_equal(micro_batches(3, third, Reduction::sum));
    std::vector<int> numbers;
    auto const quarter = [&](Vector const& at, Vector& gradient, Pass pass) {
        numbers.push_back(pass.micro_batch);
        return loss_of(at, gradient, pass, 3 * pass.micro_batch, 3 * pass.micro_batch + 3);
    };
    check_equal(micro_batches(2, micro_batches(2, quarter)));
    numbers.resize(4);
    CHECK(numbers == std::vector{0, 1, 2, 3});
    auto const resizing = [&](Vector const& at, Vector& gradient, Pass pass) {
        const double loss = whole(at, gradient, pass);
        if (pass.micro_batch == 1) gradient.resize(3);
        return loss;
    };
    CHECK_THROWS_WITH(train(SAM{SGD{}}, micro_batches(2, resizing)),
                      "polder: micro_batches: the closure has resized the gradient");
    CHECK_THROWS_WITH(micro_batches(0, silent),
                      "polder: micro_batches: count is 0, expected at least 1");
}

namespace {

// A block of it may have no gradient: then the gradient's block is null.
struct Partly {
    using value_type = double;
    Vector a = Vector(3, 1.0), b = Vector(2, 1.0);
    bool has_b = true;
    template <class F>
    void visit_blocks(F&& f) {
        f("a", a.data(), a.size(), BlockShape{});
        f("b", has_b ? b.data() : nullptr, b.size(), BlockShape{});
    }
};

}  // namespace

TEST_CASE("micro-batches leave out a block without a gradient", "[closure]") {
    Partly x, gradient;
    gradient.has_b = false;
    SAM optimizer{SGD{.learning_rate = 0.1}};
    auto closure = micro_batches(2, gradient, [&](Pass) {
        gradient.a = x.a;
        return 1.0;
    });
    optimizer.step_in_place(x, gradient, closure);
    CHECK(x.a[0] < 1);
    CHECK(x.b == Vector(2, 1.0));
}

TEST_CASE("micro-batches add up a block that has a gradient in some of them", "[closure]") {
    auto const step = [](int part_with_b) {
        Partly x, gradient;
        auto closure = micro_batches(2, gradient, [&](Pass pass) {
            gradient.has_b = pass.micro_batch == part_with_b;
            gradient.a = Vector(3, 1.0);
            gradient.b = gradient.has_b ? Vector{4, 6} : Vector{NAN, NAN};
            return 1.0;
        });
        Plain optimizer{SGD{.learning_rate = 0.5}};
        optimizer.step_in_place(x, gradient, closure);
        return x;
    };
    auto const x = step(1);
    CHECK(x.a == Vector(3, 0.5));
    CHECK(x.b == Vector{0, -0.5});
    CHECK_THROWS_WITH(step(0),
                      "polder: micro_batches: a block had a gradient in one part and has none in "
                      "the last; let the closure write zeros there");
}

TEST_CASE("micro-batches keep a closure that has a name by reference", "[closure]") {
    struct Counting {
        int calls = 0;
        double operator()(Vector const& at, Vector& gradient, Pass pass) {
            ++calls;
            return whole(at, gradient, pass);
        }
    } counting;
    Vector x(20, 1.0), gradient(20);
    SAM optimizer{SGD{.learning_rate = 0.1}};
    auto closure = micro_batches(3, counting);
    optimizer.step(x, closure);
    CHECK(counting.calls == 6);
    optimizer.step(x, micro_batches(2, concurrent(counting)));
    CHECK(counting.calls == 10);
    auto parts = concurrent(counting);
    optimizer.step(x, micro_batches(2, parts));
    CHECK(counting.calls == 14);
    optimizer.step(x, concurrent(closure));
    CHECK(counting.calls == 20);

    struct InPlace {
        int calls = 0;
        Vector const& x;
        Vector& gradient;
        double operator()(Pass pass) {
            ++calls;
            return whole(x, gradient, pass);
        }
    } in_place{0, x, gradient};
    optimizer.step_in_place(x, gradient, micro_batches(3, gradient, in_place));
    CHECK(in_place.calls == 6);
}

TEST_CASE("samples are dealt to micro-batches in turn", "[closure]") {
    auto const of_sample = [](Vector const& at, Vector& gradient, Pass pass) {
        if (pass.sample >= 0) return loss_of(at, gradient, pass, pass.sample, pass.sample + 1);
        return whole(at, gradient, pass);
    };
    // Part m of 3 has the samples m, m + 3, m + 6 and m + 9.
    auto const part = [](Vector const& at, Vector& gradient, Pass pass) {
        Vector sum(at.size());
        double loss = 0;
        for (int k = 0; k < 4; ++k) {
            if (pass.sample >= 0 && pass.sample != k) continue;
            const int sample = pass.micro_batch + 3 * k;
            const double share = pass.sample >= 0 ? 1 : 0.25;
            loss += share * loss_of(at, gradient, pass, sample, sample + 1);
            for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += share * gradient[i];
        }
        gradient = sum;
        return loss;
    };
    const FisherSAM optimizer{SGD{.learning_rate = 0.1}, {}, SampleFisher{.samples = 5}};
    auto const [x, report] = train(optimizer, of_sample);
    auto const [y, of_parts] = train(optimizer, micro_batches(3, part));
    CHECK(of_parts.evaluations == report.evaluations);
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(y[i] == Approx(x[i]).epsilon(1e-12));
}

TEST_CASE("a model that owns its parameters takes micro-batches, too", "[closure]") {
    auto const [expected, report] = train(BSAMPlus{Adam{.learning_rate = 0.1}}, whole);
    BSAMPlus optimizer{Adam{.learning_rate = 0.1}};
    Vector x(20, 1.0), gradient(20, std::numeric_limits<double>::quiet_NaN());
    auto closure = micro_batches(3, gradient, [&](Pass pass) {
        return loss_of(x, gradient, pass, 4 * pass.micro_batch, 4 * pass.micro_batch + 4);
    });
    for (int t = 0; t < 6; ++t) optimizer.step_in_place(x, gradient, closure);
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(x[i] == Approx(expected[i]).epsilon(1e-12));
}
