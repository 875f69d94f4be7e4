#include "recsys/random.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <set>
#include <span>
#include <vector>

#include "support/catch.hpp"

using polder::recsys::Random;

static_assert(std::uniform_random_bit_generator<Random>);

TEST_CASE("a random stream is its seed and what it is for", "[random]") {
    CHECK(Random(1, "a", 2).next() == Random(1, "a", 2).next());
    std::set<std::uint64_t> firsts;
    for (std::uint64_t seed = 0; seed < 4; ++seed)
        for (auto const* name : {"a", "b", "ab"})
            for (int epoch = 0; epoch < 4; ++epoch)
                for (int batch = 0; batch < 4; ++batch)
                    firsts.insert(Random(seed, name, epoch, batch).next());
    CHECK(firsts.size() == 4U * 3 * 4 * 4);
}

TEST_CASE("a random stream goes on from its state", "[random]") {
    Random random(7, "stream");
    random.next();
    random.normal();
    Random copy(random.state());
    CHECK(copy.state() == random.state());
    for (int k = 0; k < 10; ++k) CHECK(copy.next() == random.next());
}

TEST_CASE("uniform_index is uniform and stays below n", "[random]") {
    Random random(1, "uniform_index");
    std::array<int, 7> counts{};
    for (int k = 0; k < 70'000; ++k) ++counts.at(random.uniform_index(7));
    // The standard deviation of a count is 93.
    for (int const count : counts) CHECK(std::abs(count - 10'000) < 500);
    CHECK(random.uniform_index(1) == 0);
    CHECK(random.uniform_index(std::uint64_t{1} << 63) < std::uint64_t{1} << 63);
}

TEST_CASE("uniform and normal numbers have the moments of their laws", "[random]") {
    Random random(1, "moments");
    int const n = 100'000;
    double sum = 0, squares = 0, normal_sum = 0, normal_squares = 0;
    for (int k = 0; k < n; ++k) {
        double const u = random.uniform(), z = random.normal();
        REQUIRE((u >= 0 && u < 1));
        sum += u;
        squares += u * u;
        normal_sum += z;
        normal_squares += z * z;
    }
    CHECK(sum / n == Approx(0.5).margin(0.005));
    CHECK(squares / n == Approx(1.0 / 3).margin(0.005));
    CHECK(normal_sum / n == Approx(0).margin(0.02));
    CHECK(normal_squares / n == Approx(1).margin(0.02));
}

TEST_CASE("truncated normal numbers stay within two deviations", "[random]") {
    Random random(1, "truncated");
    int const n = 100'000;
    double sum = 0, squares = 0, largest = 0;
    for (int k = 0; k < n; ++k) {
        double const z = random.truncated_normal();
        sum += z;
        squares += z * z;
        largest = std::max(largest, std::abs(z));
    }
    CHECK(largest <= 2);
    CHECK(largest > 1.99);
    CHECK(sum / n == Approx(0).margin(0.02));
    CHECK(squares / n == Approx(0.7737).margin(0.01));  // 1 - 4 phi(2) / (2 Phi(2) - 1)
}

TEST_CASE("shuffle keeps the values and moves them everywhere", "[random]") {
    std::vector<int> values(10);
    std::array<int, 10> first{};
    for (int k = 0; k < 10'000; ++k) {
        std::iota(values.begin(), values.end(), 0);
        Random(3, "shuffle", k).shuffle(std::span(values));
        ++first.at(static_cast<std::size_t>(values.front()));
    }
    for (int const count : first) CHECK(std::abs(count - 1'000) < 150);
    std::sort(values.begin(), values.end());
    CHECK(values == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
}
