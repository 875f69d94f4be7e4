#include "support/catch.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <polder/polder.hpp>

#include "support/valley.hpp"

using namespace polder;
using polder::test::same_bits;
using polder::test::Valley;

TEST_CASE("state has the arrays of its policies and no more", "[state]") {
    auto const names = [](auto optimizer) {
        std::vector<float> x(3);
        optimizer.bind(x);
        std::string list;
        optimizer.visit_state(
            [&](std::string_view name, auto&&) { list += std::string(name) + " "; });
        return list;
    };
    const std::string counts = "steps skipped_steps method_steps epochs batch ";
    const std::string counters = counts + "base_steps ";
    CHECK(names(Plain{SGD{}}) == counters);
    CHECK(names(Plain{SGD{.momentum = 0.5}}) == "momentum_buffer " + counters);
    CHECK(names(SAM{Adam{}}) == "exp_avg exp_avg_sq " + counters);
    CHECK(names(BSAM{Adam{.amsgrad = true}}) ==
          "exp_avg exp_avg_sq max_exp_avg_sq reference " + counters);
    CHECK(names(LookSAM{SGD{}}) == "kept " + counters);
    CHECK(names(SSAM{SGD{}, {}, DynamicMask{}}) == "mask " + counters);
    CHECK(names(SSAM{SGD{}, {}, FisherMask{}}) == "mask " + counts + "mask_due base_steps ");
    CHECK(names(FisherSAM{SGD{}, {}, RunningFisher{}}) == "fisher " + counters);
    CHECK(names(BSAM{SGD{}, {}, NoDistance{}}) == counters);
    CHECK(names(ESAM{Lion{}}) == "exp_avg " + counters);
    CHECK(names(SAM{LAMB{}}) == "exp_avg exp_avg_sq " + counters);
    CHECK(names(MomentumSAM{SGD{.momentum = 0.5}}) == "momentum_buffer " + counters);
    CHECK(names(VaSSO{SGD{}}) == "reference " + counters);
    CHECK(names(SAMPa{SGD{}}) == "kept " + counters);
}

TEST_CASE("several ascents move a running Fisher estimate once in a step", "[state]") {
    auto const estimate = [](auto ball) {
        std::vector<double> x(10), found;
        test::set_start(x);
        Sharpness optimizer{ball, NoDistance{}, NoMix{}, SGD{.learning_rate = 0}};
        for (int t = 0; t < 3; ++t) optimizer.step(x, Valley{});
        optimizer.visit_state([&](std::string_view name, auto&& values) {
            if constexpr (requires { found.assign(values.begin(), values.end()); }) {
                if (name == "fisher") found.assign(values.begin(), values.end());
            }
        });
        REQUIRE(found.size() == x.size());
        return found;
    };
    const FisherBall<RunningFisher> ball{.estimate = {.decay = 0.5}};
    auto const expected = estimate(ball);
    CHECK(expected[0] > 0);
    for (int ascents : {2, 3}) {
        CHECK(same_bits(estimate(SeveralAscents<FisherBall<RunningFisher>>{ball, ascents}),
                        expected));
    }
}

TEST_CASE("a copy of an optimizer goes on by itself", "[state]") {
    std::vector<double> x(10), y;
    test::set_start(x);
    BSAM optimizer{Adam{.learning_rate = 0.05}};
    optimizer.step(x, Valley{});
    auto copy = optimizer;
    y = x;
    for (int t = 0; t < 5; ++t) optimizer.step(x, Valley{});
    for (int t = 0; t < 5; ++t) copy.step(y, Valley{});
    CHECK(same_bits(x, y));
}

TEST_CASE("a step goes on in another container of the same blocks", "[state]") {
    std::vector<double> x(10);
    test::set_start(x);
    auto y = x;
    BSAM one{Adam{}}, other{Adam{}};
    for (int t = 0; t < 4; ++t) {
        one.step(x, Valley{});
        if (t < 2) {
            other.step(y, Valley{});
        } else {
            other.step(std::span(y), Valley{});
        }
    }
    CHECK(same_bits(x, y));
}
