#include "support/catch.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <set>
#include <stdexcept>
#include <vector>

#include <polder/engine/cpu.hpp>

#include "support/valley.hpp"

using namespace polder;
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

template <class T>
std::vector<T*> pointers(std::vector<T>& v, std::vector<std::size_t> const& blocks) {
    std::vector<T*> result;
    T* next = v.data();
    for (std::size_t size : blocks) {
        result.push_back(next);
        next += size;
    }
    return result;
}

struct Moments {
    template <class T>
    Terms<Sum, Sum, Max> operator()(T v) const {
        return {Sum{static_cast<double>(v)}, Sum{static_cast<double>(v) * static_cast<double>(v)},
                Max{std::abs(static_cast<double>(v))}};
    }
};

}  // namespace

TEMPLATE_TEST_CASE("a reduction adds up every coordinate once", "[engine][threads]", float,
                   double) {
    for (std::size_t size : lengths) {
        auto v = values<TestType>(size);
        CpuEngine engine{Layout{{size}}};
        const auto [sum, squares, largest] = engine.reduce(Moments{}, Flat<TestType>{v.data()});
        long double expected = 0, expected_squares = 0;
        double expected_largest = 0;
        for (TestType x : v) {
            expected += x;
            expected_squares += static_cast<long double>(x) * x;
            expected_largest = std::max(expected_largest, std::abs(static_cast<double>(x)));
        }
        CAPTURE(size);
        CHECK(sum.value == Approx(static_cast<double>(expected)).margin(1e-9));
        CHECK(squares.value == Approx(static_cast<double>(expected_squares)));
        CHECK(largest.value == expected_largest);
    }
}

TEMPLATE_TEST_CASE("a reduction is the same bit for bit for any threads and any blocks",
                   "[engine][threads]", float, double) {
    for (std::size_t size : lengths) {
        auto v = values<TestType>(size);
        CpuEngine whole{Layout{{size}}};
        whole.threads = 1;
        const auto reference = whole.reduce(Moments{}, Flat<TestType>{v.data()});
        const auto blocks = uneven_blocks(size);
        auto at = pointers(v, blocks);
        for (int threads : {1, 2, 7}) {
            CpuEngine engine{Layout{blocks}};
            engine.threads = threads;
            const auto result = engine.reduce(Moments{}, Blocked<TestType>{at.data()});
            CAPTURE(size, threads);
            CHECK(std::get<0>(result).value == std::get<0>(reference).value);
            CHECK(std::get<1>(result).value == std::get<1>(reference).value);
            CHECK(std::get<2>(result).value == std::get<2>(reference).value);
        }
    }
}

TEST_CASE("a map visits every coordinate once, whatever the blocks", "[engine][threads]") {
    for (std::size_t size : lengths) {
        std::vector<double> v(size, 1.0), count(size, 0.0);
        const auto blocks = uneven_blocks(size);
        auto at = pointers(v, blocks);
        CpuEngine engine{Layout{blocks}};
        engine.threads = 2;
        engine.map([](double x, double& n) { n += x; }, Blocked<double>{at.data()},
                   Flat<double>{count.data()});
        CHECK(count == std::vector<double>(size, 1.0));
    }
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
            CpuEngine engine{Layout{{size}}};
            CHECK(engine.all_finite(Flat<TestType>{v.data()}));
            v[place] = bad;
            CAPTURE(place, bad);
            CHECK_FALSE(engine.all_finite(Flat<TestType>{v.data()}));
        }
    }
}

TEST_CASE("map_where_finite leaves out the runs that are not, and names the array",
          "[engine][threads]") {
    const std::size_t size = 3 * chunk;
    std::vector<float> g(size, 1.0f), h(size, 2.0f), x(size, 0.0f);
    CpuEngine engine{Layout{{size}}};
    const auto add = [](float a, float b, float& to) { to = a + b; };
    const auto run = [&] {
        std::fill(x.begin(), x.end(), 0.0f);
        return engine.map_where_finite<2>(true, add, Flat<float>{g.data()}, Flat<float>{h.data()},
                                          Flat<float>{x.data()});
    };
    CHECK(run() == 2);
    CHECK(x == std::vector<float>(size, 3.0f));
    h[chunk + 4] = std::numeric_limits<float>::quiet_NaN();
    CHECK(run() == 1);
    CHECK(x[0] == 3.0f);
    CHECK(x[chunk] == 0.0f);
    CHECK(x[chunk + 128] == 3.0f);
    CHECK(x[2 * chunk] == 3.0f);
    g[2 * chunk] = std::numeric_limits<float>::infinity();
    CHECK(run() == 0);
    CHECK(x[chunk] == 0.0f);
    CHECK(x[2 * chunk] == 0.0f);
    CHECK(x[2 * chunk + 128] == 3.0f);
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
