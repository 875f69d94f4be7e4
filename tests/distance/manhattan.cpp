// What a distance does to the direction.

#include "support/catch.hpp"

#include <algorithm>
#include <vector>

#include <polder/polder.hpp>

using namespace polder;

TEST_CASE("the literal Manhattan distance can turn the ascent into a descent",
          "[methods][distance]") {
    // At the first step v = (1 - (1 - lambda) d) g with d = lambda ||g||_1.
    auto const steep = [](std::vector<double> const& x, std::vector<double>& gradient) {
        std::fill(gradient.begin(), gradient.end(), 1.0);
        return x[0];
    };
    std::vector<double> x(100);
    BSAM literal{SGD{}, {.lambda = 0.6}, Manhattan{}};
    const Report report = literal.step(x, steep);
    CHECK(report.distance == Approx(60));
    CHECK(report.cosine == Approx(-1));
    CHECK(report.sharpness() < 0);
    BSAM mean{SGD{}, {.lambda = 0.6}, ManhattanMean{}};
    std::vector<double> y(100);
    CHECK(mean.step(y, steep).cosine == Approx(1));
}
