#include "recsys/evaluation/significance.hpp"

#include <cmath>
#include <numbers>
#include <vector>

#include "support/catch.hpp"

using namespace polder::recsys;
using Values = std::vector<double>;

TEST_CASE("p-values are those of Student's distribution", "[significance]") {
    // Closed forms: one and two degrees of freedom, and the normal distribution far out.
    for (double const t : {0.01, 0.5, 1.0, 3.0, 40.0}) {
        CAPTURE(t);
        CHECK(two_sided_p(t, 1) == Approx(1 - 2 / std::numbers::pi * std::atan(t)).epsilon(1e-10));
        CHECK(two_sided_p(t, 2) == Approx(1 - t / std::sqrt(2 + t * t)).epsilon(1e-10));
        CHECK(two_sided_p(-t, 7) == two_sided_p(t, 7));
    }
    CHECK(two_sided_p(2, 1e9) == Approx(std::erfc(std::sqrt(2.0))).epsilon(1e-6));
    // Tabulated quantiles.
    CHECK(two_sided_p(2.570581836, 5) == Approx(0.05).epsilon(1e-8));
    CHECK(two_sided_p(1.960201264, 10'000) == Approx(0.05).epsilon(1e-6));
    CHECK(two_sided_p(0, 3) == 1);
    CHECK(std::isnan(two_sided_p(NAN, 3)));
}

TEST_CASE("the spread is the sample standard deviation", "[significance]") {
    CHECK(spread(Values{2, 4, 4, 4, 5, 5, 7, 9}).mean == 5);
    CHECK(spread(Values{2, 4, 4, 4, 5, 5, 7, 9}).deviation == Approx(std::sqrt(32.0 / 7)));
    CHECK(std::isnan(spread(Values{1}).deviation));
    CHECK(std::isnan(spread(Values{}).mean));
}

TEST_CASE("the paired test looks at differences", "[significance]") {
    // d = 1, 2, 3, 4: mean 2.5, s_d / sqrt(4) = sqrt(5 / 3) / 2.
    auto const test = paired_t_test(Values{11, 22, 33, 44}, Values{10, 20, 30, 40});
    CHECK(test.t == Approx(5 / std::sqrt(5.0 / 3)));
    CHECK(test.freedom == 3);
    CHECK(test.p == Approx(two_sided_p(test.t, 3)));
    CHECK(paired_t_test(Values{1, 2}, Values{1, 2}).p == 1);
    CHECK(paired_t_test(Values{2, 3}, Values{1, 2}).p == 0);
    CHECK(std::isnan(paired_t_test(Values{1}, Values{2}).p));
    CHECK_THROWS_WITH(paired_t_test(Values{1, 2}, Values{1}), ContainsSubstring("2 and 1 values"));
}

TEST_CASE("Welch's test has its own degrees of freedom", "[significance]") {
    // v_a = 1/3, v_b = 4/3, so t = -4 / sqrt(5/3) and (25/9) / (1/18 + 16/18) = 50/17 degrees.
    auto const test = welch_t_test(Values{1, 2, 3}, Values{4, 6, 8});
    CHECK(test.t == Approx(-4 / std::sqrt(5.0 / 3)));
    CHECK(test.freedom == Approx(50.0 / 17));
    CHECK(test.p == Approx(two_sided_p(test.t, 50.0 / 17)));
    CHECK(welch_t_test(Values{1, 1}, Values{1, 1}).p == 1);
    CHECK(welch_t_test(Values{1, 1}, Values{2, 2}).p == 0);
    CHECK(std::isnan(welch_t_test(Values{1}, Values{1, 2}).p));
}
