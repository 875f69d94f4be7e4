// The average of the weights.

#include "support/catch.hpp"

#include <vector>

#include <polder/polder.hpp>

#include "support/valley.hpp"

using namespace polder;
using polder::test::same_bits;
using polder::test::Valley;

TEST_CASE("an average of the weights follows them", "[average]") {
    WeightAverage averaged{Plain{SGD{.learning_rate = 0.1}}, {.decay = 0.75}};
    Plain alone{SGD{.learning_rate = 0.1}};
    std::vector<double> x(9), y(9), found(9), expected;
    test::set_start(x);
    test::set_start(y);
    CHECK_THROWS_WITH(averaged.copy_to(found), "polder: there is no average before the first step");
    for (int t = 0; t < 6; ++t) {
        averaged.step(x, Valley{});
        alone.step(y, Valley{});
        if (t == 0) expected = y;
        for (std::size_t i = 0; i < 9 && t > 0; ++i) expected[i] = 0.75 * expected[i] + 0.25 * y[i];
        averaged.copy_to(found);
        CHECK(same_bits(x, y));
        for (std::size_t i = 0; i < 9; ++i) CHECK(found[i] == Approx(expected[i]).epsilon(1e-14));
    }
    averaged.swap(x);
    CHECK(same_bits(x, found));
    CHECK_THROWS_WITH(
        averaged.step(x, Valley{}),
        "polder: the parameters are the average; call swap() again before the next step");
    CHECK(same_bits(x, found));
    averaged.swap(x);
    CHECK(same_bits(x, y));
}
