#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <span>
#include <stdexcept>
#include <vector>

#include <polder/engine/cpu.hpp>

#include "support/valley.hpp"

using namespace polder;
using polder::detail::Fault;
using polder::test::start;

namespace {

constexpr std::size_t chunk = Layout::chunk_size;
const std::size_t lengths[] = {0,  1,  3,         7,     8,         9,
                               16, 17, chunk - 1, chunk, chunk + 1, 5 * chunk + 13};

template <class T>
std::vector<T> values(std::size_t size) {
    std::vector<T> v(size);
    for (std::size_t i = 0; i < size; ++i) v[i] = static_cast<T>(start(i));
    return v;
}

// Blocks of uneven sizes, empty ones among them, that add up to `size`.
std::vector<std::size_t> uneven_blocks(std::size_t size) {
    std::vector<std::size_t> blocks{0};
    for (std::size_t next = 1; size > 0; next = next * 3 % 5003 + 1) {
        blocks.push_back(std::min(next, size));
        size -= blocks.back();
        if (blocks.size() % 4 == 0) blocks.push_back(0);
    }
    return blocks;
}

// An engine in the middle of a step, with the arrays of a container, three of its own and two masks.
template <class T>
class Engine {
public:
    explicit Engine(std::vector<std::size_t> sizes, int threads = 1,
                    NonFinite policy = NonFinite::raise)
        : engine_(blocks(sizes), std::make_shared<Plan const>(plan())) {
        data_.settings.resize(1);
        data_.group.resize(sizes.size());
        data_.base_steps = {0};
        engine_.data = &data_;
        engine_.run_on(threads, nullptr);
        engine_.refresh();
        engine_.begin(policy);
    }
    Engine(Engine const&) = delete;
    Engine& operator=(Engine const&) = delete;
    CpuEngine<T>* operator->() { return &engine_; }

    static constexpr ArrayId own[] = {{1}, {2}, {3}};
    static constexpr MaskId mask[] = {{0}, {1}};

    /// An array that lies in the blocks of a container: `v`, cut up.
    ArrayId container(std::vector<T>& v) {
        auto const table = engine_.table(ArrayId{0});
        T* next = v.data();
        for (std::size_t block = 0; block < engine_.blocks().sizes.size(); ++block) {
            table[block] = next;
            next += engine_.blocks().sizes[block];
        }
        return {0};
    }
    /// One of our own with these values.
    ArrayId assign(int k, std::vector<T> const& v) {
        std::copy(v.begin(), v.end(), engine_.values(own[k]).begin());
        return own[k];
    }
    std::vector<T> read(ArrayId a) {
        auto const v = engine_.values(a);
        return {v.begin(), v.end()};
    }
    std::vector<std::uint8_t> read(MaskId m) {
        auto const v = engine_.values(m);
        return {v.begin(), v.end()};
    }
    double read(ValueId v) {
        detail::Ending ending;
        ending.noted[0] = v;
        return engine_.report({}, ending).gradient_norm;
    }
    /// What is wrong with the step so far.
    Fault fault() { return engine_.end({}, false); }

    void freeze(std::size_t block) { engine_.layout().set_frozen(block, true); }

private:
    static detail::Blocks blocks(std::vector<std::size_t> const& sizes) {
        detail::Blocks made;
        for (std::size_t size : sizes) {
            made.names.push_back(std::to_string(made.sizes.size()));
            made.shapes.push_back({size, 1, true});
            made.sizes.push_back(size);
        }
        return made;
    }
    static Plan plan() {
        Plan plan;
        for (int k = 0; k < 3; ++k) plan.scratch();
        for (int k = 0; k < 2; ++k) plan.scratch_mask();
        return plan;
    }

    detail::StepData data_;
    CpuEngine<T> engine_;
};

// A pass whose function is the same everywhere.
template <class F>
struct Everywhere {
    F f;
    template <class T>
    F at(Site<T> const&) const {
        return f;
    }
};
template <class F>
Everywhere(F) -> Everywhere<F>;

const Everywhere moments{[](auto v) -> Terms<Sum, Sum, Max> {
    auto const value = static_cast<double>(v);
    return {Sum{value}, Sum{value * value}, Max{std::abs(value)}};
}};
constexpr ValueId found[] = {{0}, {1}, {2}};
constexpr Fault bad_gradient = detail::gradient_fault(Evaluation::clean);
constexpr Fault bad_perturbed_gradient = detail::gradient_fault(Evaluation::perturbed);

}  // namespace

TEMPLATE_TEST_CASE("a reduction adds up every coordinate once", "[engine][threads]", float,
                   double) {
    for (std::size_t size : lengths) {
        auto const v = values<TestType>(size);
        Engine<TestType> engine({size});
        engine->reduce(found[0], Fault::none, moments, engine.assign(0, v));
        long double expected = 0, expected_squares = 0;
        double expected_largest = 0;
        for (TestType x : v) {
            expected += x;
            expected_squares += static_cast<long double>(x) * x;
            expected_largest = std::max(expected_largest, std::abs(static_cast<double>(x)));
        }
        CAPTURE(size);
        CHECK(engine.read(found[0]) == Approx(static_cast<double>(expected)).margin(1e-9));
        CHECK(engine.read(found[1]) == Approx(static_cast<double>(expected_squares)));
        CHECK(engine.read(found[2]) == expected_largest);
    }
}

TEMPLATE_TEST_CASE("a reduction is the same bit for bit for any threads and any blocks",
                   "[engine][threads]", float, double) {
    for (std::size_t size : lengths) {
        auto v = values<TestType>(size);
        Engine<TestType> whole({size});
        whole->reduce(found[0], Fault::none, moments, whole.assign(0, v));
        for (int threads : {1, 2, 7}) {
            Engine<TestType> engine(uneven_blocks(size), threads);
            for (ArrayId const a : {engine.container(v), engine.assign(0, v)}) {
                engine->reduce(found[0], Fault::none, moments, a);
                CAPTURE(size, threads, a.id);
                for (ValueId const value : found) CHECK(engine.read(value) == whole.read(value));
            }
        }
    }
}

TEMPLATE_TEST_CASE("a reduction of blocks is that of each by itself", "[engine][threads]", float,
                   double) {
    for (std::size_t size : lengths) {
        auto v = values<TestType>(size);
        auto const blocks = uneven_blocks(size);
        std::vector<std::array<double, 3>> reference;
        for (int threads : {1, 2, 7}) {
            Engine<TestType> engine(blocks, threads);
            engine->reduce_blocks(found[0], Fault::none, moments, engine.container(v));
            auto const* next = v.data();
            double sum_of_squares = 0;
            for (std::size_t block = 0; block < blocks.size(); ++block) {
                CAPTURE(size, threads, block);
                auto const read = [&](int k) {
                    return engine.read(ValueId{k + 3 * static_cast<int>(block)});
                };
                long double expected = 0, expected_squares = 0;
                double expected_largest = 0;
                for (std::size_t i = 0; i < blocks[block]; ++i) {
                    auto const x = static_cast<double>(*next++);
                    expected += x;
                    expected_squares += static_cast<long double>(x) * x;
                    expected_largest = std::max(expected_largest, std::abs(x));
                }
                CHECK(read(0) == Approx(static_cast<double>(expected)).margin(1e-9));
                CHECK(read(1) == Approx(static_cast<double>(expected_squares)));
                CHECK(read(2) == expected_largest);
                if (threads == 1) reference.push_back({read(0), read(1), read(2)});
                CHECK(reference[block] == std::array{read(0), read(1), read(2)});
                sum_of_squares += read(1);
            }
            const ValueId root{static_cast<int>(3 * blocks.size())};
            engine->root_of_sum({1, 3}, root);
            CHECK(engine.read(root) == std::sqrt(sum_of_squares));
        }
    }
}

TEST_CASE("a map visits every coordinate once, whatever the blocks", "[engine][threads]") {
    for (std::size_t size : lengths) {
        for (int threads : {1, 2, 7}) {
            std::vector<double> v(size, 1.0);
            Engine<double> engine(uneven_blocks(size), threads);
            const ArrayId count = engine.own[0];
            engine->map(Everywhere{[](double x, double& n) { n += x; }}, engine.container(v),
                        Changed{count});
            CHECK(engine.read(count) == std::vector<double>(size, 1.0));
            // And into the blocks of the container.
            engine->map(Everywhere{[](double& to, double n) { to = 2 * n; }},
                        Written{engine.container(v)}, count);
            CHECK(v == std::vector<double>(size, 2.0));
        }
    }
}

TEST_CASE("a pass of several arrays and a mask gets them in order", "[engine]") {
    Engine<float> engine({3, 2});
    std::vector<float> x{1, 2, 3, 4, 5};
    const ArrayId a = engine.assign(0, {10, 20, 30, 40, 50}), b = engine.own[1];
    auto const mask = engine->values(engine.mask[0]);
    std::fill(mask.begin(), mask.end(), std::uint8_t{1});
    mask[1] = 0;
    engine->map(Everywhere{[](std::array<float, 2> const& in, float m, std::array<float, 1>& out) {
                    out[0] = m * (in[0] + in[1]);
                }},
                std::array{engine.container(x), a}, engine.mask[0], std::array{Written{b}});
    CHECK(engine.read(b) == std::vector<float>{11, 0, 33, 44, 55});
}

TEST_CASE("a function that reads a value of blocks is made for each block", "[engine]") {
    struct Times {
        ValueId of_block;
        struct At {
            double factor;
            void operator()(double x, double& to) const { to = factor * x; }
        };
        At at(Site<double> const& here) const { return {here[of_block]}; }
    };
    Engine<double> engine({2, 0, 1});
    std::vector<double> x{1, 2, 5};
    engine->reduce_blocks(found[0], Fault::none,
                          Everywhere{[](double v) { return Terms<Sum>{Sum{v}}; }},
                          engine.container(x));
    engine->map(Times{{0, 1}}, engine.container(x), Written{engine.own[0]});
    CHECK(engine.read(engine.own[0]) == std::vector<double>{3, 6, 25});
}

TEST_CASE("frozen blocks are left out", "[engine]") {
    Engine<double> engine({2, 3, 1});
    std::vector<double> x{1, 2, 3, 4, 5, 6};
    engine.freeze(1);
    const ArrayId a = engine.container(x);
    engine->map(Everywhere{[](double& v) { v *= 10; }}, Changed{a});
    CHECK(x == std::vector<double>{10, 20, 3, 4, 5, 60});
    engine->reduce(found[0], Fault::none, moments, a);
    CHECK(engine.read(found[0]) == 90);
    engine->reduce_blocks(found[0], Fault::none,
                          Everywhere{[](double v) { return Terms<Sum>{Sum{v}}; }}, a);
    CHECK(engine.read(ValueId{1}) == 0);
    engine->copy_frozen(a, engine.assign(0, {1, 1, 1, 1, 1, 1}));
    CHECK(engine.read(engine.own[0]) == std::vector<double>{1, 1, 3, 4, 5, 1});
    engine->clear_frozen(engine.own[0]);
    CHECK(engine.read(engine.own[0]) == std::vector<double>{1, 1, 0, 0, 0, 1});
}

TEMPLATE_TEST_CASE("a value that is not finite is found at every place", "[engine][threads]", float,
                   double) {
    const std::size_t size = 3 * chunk + 5;
    const TestType infinity = std::numeric_limits<TestType>::infinity();
    for (TestType bad : {std::numeric_limits<TestType>::quiet_NaN(), infinity, -infinity}) {
        for (std::size_t place : {std::size_t{0}, chunk - 1, chunk, size / 2, size - 1}) {
            auto v = values<TestType>(size);
            v[1] = std::numeric_limits<TestType>::max();
            v[2] = std::numeric_limits<TestType>::denorm_min();
            Engine<TestType> engine({size}, 2);
            engine->check(engine.assign(0, v), bad_gradient);
            CHECK(engine.fault() == Fault::none);
            v[place] = bad;
            engine->check(engine.assign(0, v), bad_gradient);
            CAPTURE(place, bad);
            CHECK(engine.fault() == bad_gradient);
            CHECK_FALSE(engine->alive());
        }
    }
}

TEST_CASE("after a fault passes do nothing, unless it is let through", "[engine]") {
    for (NonFinite policy : {NonFinite::raise, NonFinite::skip, NonFinite::propagate}) {
        Engine<double> engine({3}, 1, policy);
        const ArrayId a = engine.assign(0, {1, NAN, 2});
        engine->reduce(found[0], bad_perturbed_gradient, moments, a);
        engine->check(a, bad_gradient);
        engine->map(Everywhere{[](double& v) { v = 7; }}, Written{a});
        const bool through = policy == NonFinite::propagate;
        CHECK(engine.read(a)[0] == (through ? 7 : 1));
        CHECK(engine.fault() == (through ? Fault::none : bad_perturbed_gradient));
    }
}

TEST_CASE("the last pass leaves out the runs that are not finite, and names the array",
          "[engine][threads]") {
    // So many that they do not fit a cache: then the look is part of the pass.
    const std::size_t size = 130 * chunk + 40;
    REQUIRE(size * sizeof(float) > std::size_t{8} << 20);
    Engine<float> engine({size}, 2);
    std::vector<float> x(size);
    const ArrayId to = engine.container(x);
    const ArrayId g = engine.assign(0, std::vector<float>(size, 1.0f));
    const ArrayId h = engine.assign(1, std::vector<float>(size, 2.0f));
    auto const run = [&] {
        std::fill(x.begin(), x.end(), 0.0f);
        engine->begin(NonFinite::raise);
        engine->map_last(
            detail::Ending{}, std::array{g, h}, std::array{bad_gradient, bad_perturbed_gradient}, 2,
            Everywhere{[](float& sum, float a, float b) { sum = a + b; }}, Written{to}, g, h);
        return engine.fault();
    };
    CHECK(run() == Fault::none);
    CHECK(x == std::vector<float>(size, 3.0f));
    engine->values(h)[chunk + 4] = std::numeric_limits<float>::quiet_NaN();
    CHECK(run() == bad_perturbed_gradient);
    CHECK(x[0] == 3.0f);
    CHECK(x[chunk] == 0.0f);
    CHECK(x[chunk + 128] == 3.0f);
    CHECK(x[2 * chunk] == 3.0f);
    engine->values(g)[2 * chunk] = std::numeric_limits<float>::infinity();
    CHECK(run() == bad_gradient);
    CHECK(x[chunk] == 0.0f);
    CHECK(x[2 * chunk] == 0.0f);
    CHECK(x[2 * chunk + 128] == 3.0f);
}

TEST_CASE("the last pass of small arrays does nothing where one is not finite", "[engine]") {
    Engine<float> engine({3});
    const ArrayId g = engine.assign(0, {1, NAN, 2}), to = engine.assign(1, {0, 0, 0});
    engine->map_last(detail::Ending{}, std::array{g}, std::array{bad_gradient}, 1,
                     Everywhere{[](float& x, float a) { x = a; }}, Written{to}, g);
    CHECK(engine.fault() == bad_gradient);
    CHECK(engine.read(to) == std::vector<float>(3));
}

TEMPLATE_TEST_CASE("the largest scores are chosen, the lower coordinate among equal ones",
                   "[engine][threads]", float, double) {
    using T = TestType;
    for (std::size_t size : lengths) {
        auto scores = values<T>(size);
        // Many ties, and some that may not be chosen.
        for (T& s : scores) s = std::floor(s * 4) / 4;
        std::vector<std::size_t> order(size);
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(),
                         [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
        for (std::size_t count : {std::size_t{0}, std::size_t{1}, size / 3, size / 2, size}) {
            std::vector<std::uint8_t> expected(size, 0);
            for (std::size_t k = 0; k < std::min(count, size); ++k) {
                if (scores[order[k]] >= 0) expected[order[k]] = 1;
            }
            for (int threads : {1, 2, 7}) {
                Engine<T> engine(uneven_blocks(size), threads);
                engine->set(engine.mask[0], 0);
                engine->choose_largest(
                    count, [](std::size_t, T score) { return score; }, engine.mask[0],
                    engine.container(scores));
                CAPTURE(size, count, threads);
                CHECK(engine.read(engine.mask[0]) == expected);
            }
        }
    }
}

TEST_CASE("what is chosen joins the mask, by scores of coordinates and of another mask",
          "[engine]") {
    Engine<double> engine({4, 3});
    auto const mask = engine->values(engine.mask[0]);
    const std::vector<std::uint8_t> before{0, 1, 0, 0, 1, 0, 0};
    std::copy(before.begin(), before.end(), mask.begin());
    engine->set(engine.mask[1], 1);
    engine->values(engine.mask[1])[6] = 0;
    engine->choose_largest(
        2, [](std::size_t i, double allowed) { return allowed != 0 ? static_cast<double>(i) : -1; },
        engine.mask[0], engine.mask[1]);
    CHECK(engine.read(engine.mask[0]) == std::vector<std::uint8_t>{0, 1, 0, 0, 1, 1, 0});
}

TEST_CASE("a mask is filled by coordinate, whatever the blocks and threads", "[engine][threads]") {
    const std::size_t size = 5 * chunk + 13;
    struct Odd {
        struct At {
            bool operator()(std::size_t coordinate) const { return coordinate % 3 == 1; }
        };
        At at(Site<float> const&) const { return {}; }
    };
    std::vector<std::uint8_t> expected(size);
    for (std::size_t i = 0; i < size; ++i) expected[i] = i % 3 == 1;
    for (int threads : {1, 2, 7}) {
        Engine<float> engine(uneven_blocks(size), threads);
        engine->fill(engine.mask[1], Odd{});
        CHECK(engine.read(engine.mask[1]) == expected);
    }
}

TEST_CASE("the end of a step turns over what lasts, and that of a look does not", "[engine]") {
    Engine<double> engine({2});
    const ArrayId now = engine.assign(0, {1, 2}), next = engine.assign(1, {3, 4});
    detail::Ending ending;
    ending.add({now, next});
    ending.counts = false;
    engine->end(ending, true);
    CHECK(engine.read(now) == std::vector<double>{1, 2});
    ending.counts = true;
    engine->fail(bad_gradient);
    engine->end(ending, true);
    CHECK(engine.read(now) == std::vector<double>{1, 2});
    engine->begin(NonFinite::raise);
    engine->end(ending, true);
    CHECK(engine.read(now) == std::vector<double>{3, 4});
    CHECK(engine.read(next) == std::vector<double>{1, 2});
}

TEST_CASE("parallel_for runs every task once", "[engine][threads]") {
    for (int threads : {1, 2, 7}) {
        std::vector<int> runs(100, 0);
        parallel_for(runs.size(), threads, [&](std::size_t task) { ++runs[task]; });
        CHECK(runs == std::vector<int>(100, 1));
    }
}

TEST_CASE("parallel_for throws what a task throws", "[engine][threads]") {
    for (int threads : {1, 2, 7}) {
        CHECK_THROWS_AS(parallel_for(20, threads,
                                     [](std::size_t task) {
                                         if (task == 13) throw std::domain_error("13");
                                     }),
                        std::domain_error);
    }
}
