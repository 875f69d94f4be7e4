// Arguments that only running shows to be wrong, and hyper-parameters out of range.

#include "support/catch.hpp"

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include <polder/polder.hpp>

#include "support/valley.hpp"

using namespace polder;
using polder::test::Valley;

TEST_CASE("parameters of another shape than at the first step are refused", "[closure]") {
    SAM optimizer{SGD{}};
    std::vector<std::vector<double>> x{{1, 2}, {3}};
    optimizer.step(x, Valley{});
    x[1].push_back(4);
    CHECK_THROWS_WITH(optimizer.step(x, Valley{}),
                      "polder: the parameters: block 1 has 2 coordinates, expected 1");
    x.pop_back();
    CHECK_THROWS_WITH(optimizer.step(x, Valley{}), "polder: the parameters: 1 blocks, expected 2");
    std::vector<float> y{1, 2, 3};
    CHECK_THROWS_WITH(optimizer.step(y, Valley{}),
                      "polder: the scalar type of the parameters is not that of the first step");
}

TEST_CASE("a gradient that a closure gave another shape is refused", "[closure]") {
    SAM optimizer{SGD{}};
    std::vector<double> x{1, 2, 3};
    auto const closure = [](std::vector<double> const&, std::vector<double>& gradient) {
        gradient = {1, 2};
        return 0.0;
    };
    CHECK_THROWS_WITH(optimizer.step(x, closure),
                      "polder: the gradient: block 0 has 2 coordinates, expected 3");
    CHECK(x == std::vector<double>{1, 2, 3});
}

TEST_CASE("after a gradient of another shape the next step has one of the shape of x",
          "[closure]") {
    SAM optimizer{SGD{}};
    std::vector<double> x{1, 2, 3};
    auto const closure = [](std::vector<double> const& at, std::vector<double>& gradient) {
        REQUIRE(gradient.size() == at.size());
        gradient = at;
        return 1.0;
    };
    optimizer.step(x, closure);
    for (int k = 0; k < 2; ++k) {
        CHECK_THROWS_AS(optimizer.step(x,
                                       [&](auto const& at, auto& gradient) {
                                           double const loss = closure(at, gradient);
                                           gradient.resize(2);
                                           return loss;
                                       }),
                        std::invalid_argument);
    }
    optimizer.step(x, closure);
    CHECK(optimizer.steps() == 2);
}

TEST_CASE("perturbation() of a loss that is not finite counts no step", "[closure]") {
    SAM optimizer{SGD{}};
    optimizer.set_non_finite(NonFinite::skip);
    std::vector<double> x{1, 2}, eps(2);
    auto const report = optimizer.perturbation(
        x,
        [](std::vector<double> const& at, std::vector<double>& gradient) {
            gradient = at;
            return std::numeric_limits<double>::quiet_NaN();
        },
        eps);
    CHECK(report.skipped);
    CHECK(optimizer.skipped_steps() == 0);
}

TEST_CASE("a closure may give the gradient other memory", "[closure]") {
    SAM moved{SGD{.learning_rate = 0.1}}, written{SGD{.learning_rate = 0.1}};
    std::vector<double> x{1, 2, 3}, y = x;
    for (int t = 0; t < 3; ++t) {
        moved.step(x, [](std::vector<double> const& at, std::vector<double>& gradient) {
            gradient = std::vector<double>(at);
            return 0.0;
        });
        written.step(y, [](std::vector<double> const& at, std::vector<double>& gradient) {
            std::copy(at.begin(), at.end(), gradient.begin());
            return 0.0;
        });
    }
    CHECK(x == y);
}

TEST_CASE("hyper-parameters out of range are refused with name, value and range", "[methods]") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_WITH((SAM{SGD{}, {.rho = -1}}),
                      "polder: rho = -1 is out of range; expected a finite number >= 0");
    CHECK_THROWS_WITH((SAM{SGD{}, {.rho = nan}}), ContainsSubstring("rho = nan"));
    CHECK_THROWS_WITH((SAM{SGD{}, {.norm_guard = -1}}), ContainsSubstring("norm_guard = -1"));
    CHECK_THROWS_WITH((BSAM{SGD{}, {.lambda = 1}}),
                      "polder: lambda = 1 is out of range; expected [0, 1)");
    CHECK_THROWS_WITH((BSAM{SGD{}, {.lambda = -0.1}, NoDistance{}}),
                      ContainsSubstring("lambda = -0.1"));
    CHECK_THROWS_WITH((BSAMPlus{SGD{}, {.kappa = 1.5}}),
                      "polder: kappa = 1.5 is out of range; expected [0, 1]");
    CHECK_THROWS_WITH((FSAM{SGD{}, {.sigma = -2}}), ContainsSubstring("sigma = -2"));
    CHECK_THROWS_WITH((Plain{SGD{.learning_rate = -1}}),
                      ContainsSubstring("SGD.learning_rate = -1"));
    CHECK_THROWS_WITH((Plain{SGD{.momentum = -1}}), ContainsSubstring("SGD.momentum = -1"));
    CHECK_THROWS_WITH((Plain{SGD{.weight_decay = -1}}), ContainsSubstring("SGD.weight_decay = -1"));
    CHECK_THROWS_WITH((Plain{SGD{.nesterov = true}}), ContainsSubstring("since nesterov is set"));
    CHECK_THROWS_WITH((Plain{SGD{.momentum = 0.9, .dampening = 0.1, .nesterov = true}}),
                      ContainsSubstring("SGD.dampening = 0.1"));
    CHECK_THROWS_WITH((Plain{Adam{.beta1 = 1}}), ContainsSubstring("Adam.beta1 = 1"));
    CHECK_THROWS_WITH((Plain{Adam{.beta2 = -0.1}}), ContainsSubstring("Adam.beta2 = -0.1"));
    CHECK_THROWS_WITH((Plain{Adam{.eps = -1}}), ContainsSubstring("Adam.eps = -1"));
    CHECK_THROWS_WITH((Plain{Lion{.beta1 = 1}}), ContainsSubstring("Lion.beta1 = 1"));
    CHECK_THROWS_WITH((Plain{LAMB{.eps = -1}}), ContainsSubstring("LAMB.eps = -1"));
    CHECK_THROWS_WITH((ESAM{SGD{}, {.beta = 0}}), ContainsSubstring("beta = 0"));
    CHECK_THROWS_WITH((VaSSO{SGD{}, {.theta = 1.5}}),
                      "polder: theta = 1.5 is out of range; expected [0, 1]");
    CHECK_THROWS_WITH((SAMPa{SGD{}, {.lambda = -1}}), ContainsSubstring("lambda = -1"));
    CHECK_THROWS_WITH((MomentumSAM{SGD{.momentum = 0.9}, {.sign = 2}}),
                      "polder: sign = 2 is out of range; expected 1 or -1");
    CHECK_THROWS_WITH((MomentumSAM{SGD{}}),
                      ContainsSubstring("needs a base optimizer with a first moment"));
    SAM optimizer{SGD{}};
    CHECK_THROWS_WITH(optimizer.set_threads(0), ContainsSubstring("threads = 0"));
}

TEST_CASE("a hyper-parameter changed to something out of range is refused before the step",
          "[methods]") {
    SAM optimizer{SGD{}};
    std::vector<double> x{1, 2};
    optimizer.step(x, Valley{});
    auto const before = x;
    optimizer.base().learning_rate = -1;
    CHECK_THROWS_WITH(optimizer.step(x, Valley{}), ContainsSubstring("SGD.learning_rate = -1"));
    optimizer.base() = {.learning_rate = 0.1, .momentum = 0.9};
    CHECK_THROWS_WITH(optimizer.step(x, Valley{}),
                      ContainsSubstring("options now need other state"));
    CHECK(x == before);
}
