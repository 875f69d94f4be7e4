// Balls of which some coordinates are masked.

#include "support/catch.hpp"

#include <cstdint>
#include <type_traits>
#include <vector>

#include <polder/polder.hpp>

#include "support/runs.hpp"

using namespace polder;
using namespace polder::test;

TEST_CASE("a coordinate is drawn with probability beta, other ones in each step",
          "[methods][perturb]") {
    constexpr std::size_t size = 20'000;
    std::vector<double> x(size), eps(size), sam(size);
    test::set_start(x);
    ESAM optimizer{SGD{.learning_rate = 0}, {.rho = 0.1, .beta = 0.6, .seed = 3}};
    auto other = ESAM{SGD{.learning_rate = 0}, {.rho = 0.1, .beta = 0.6, .seed = 4}};
    SAM reference{SGD{}, {.rho = 0.1, .norm_guard = 1e-7}};
    reference.perturbation(x, Valley{}, sam);
    std::vector<std::vector<double>> drawn;
    for (int t = 0; t < 3; ++t) {
        optimizer.perturbation(x, Valley{}, eps);
        std::size_t moved = 0;
        for (std::size_t i = 0; i < size; ++i) {
            if (eps[i] == 0) continue;
            ++moved;
            CHECK(eps[i] == Approx(sam[i] / 0.6).epsilon(1e-12));
        }
        // The standard deviation is sqrt(0.24 / size) = 0.0035.
        CHECK(static_cast<double>(moved) / size == Approx(0.6).margin(0.0175));
        for (auto const& before : drawn) CHECK(eps != before);
        drawn.push_back(eps);
        optimizer.step(x, Valley{});  // of length 0
    }
    other.perturbation(x, Valley{}, eps);
    CHECK(eps != drawn[0]);
}

TEMPLATE_TEST_CASE("a mask of ones is the method without a mask", "[methods][perturb]", float,
                   double) {
    using T = TestType;
    for (Case const& drawn : cases(25)) {
        CAPTURE(drawn);
        const test::Settings with =
            changed(drawn, [](test::Settings& s) { s.sparsity = s.drop_rate = 0; });
        CHECK(same_bits(run<T>("SSAM-D", with, drawn), run<T>("SAM", with, drawn)));
        // SSAM-F moves nothing before it has looked at a batch.
        auto late = one_method<T>("SAM", with);
        late->set_interval({.warm_up = 1});
        CHECK(same_bits(run<T>("SSAM-F", with, drawn), run<T>(late, drawn)));
    }
}

TEST_CASE("a fixed mask of ones is any ball without a mask", "[methods][perturb]") {
    for (Case const& drawn : cases(20)) {
        CAPTURE(drawn);
        test::Settings const& s = drawn.settings;
        auto const masked = [&](auto const& ball, auto const& distance, auto const& mix) {
            CHECK(same_bits(
                run<double>(Sharpness{Masked<std::decay_t<decltype(ball)>, FixedMask>{ball, {}},
                                      distance, mix, s.base},
                            drawn),
                run<double>(Sharpness{ball, distance, mix, s.base}, drawn)));
        };
        masked(InfinityBall{s.rho}, NoDistance{}, NoMix{});
        masked(FisherBall<RunningFisher>{.rho = s.rho, .eta = *s.eta, .estimate = {*s.lambda}},
               NoDistance{}, SurrogateGap{*s.alpha});
        masked(AdaptiveBall{s.rho, *s.eta, s.norm_guard},
               DistanceTo<MovingAverage, Cosine>{{*s.lambda}, {}}, TwoBatches{s.kappa, {}});
    }
}

TEMPLATE_TEST_CASE("a masked move is that of the ball where the mask is 1, and 0 elsewhere",
                   "[methods][perturb]", float, double) {
    using T = TestType;
    for (Case const& drawn : cases(25)) {
        CAPTURE(drawn);
        test::Random random = drawn.random;
        std::vector<std::uint8_t> mask(drawn.coordinates());
        for (auto& m : mask) m = random.coin() ? 1 : 0;
        auto x = drawn.parameters<T>();
        auto eps = x, expected = x;
        one_method<T>("SAM", drawn.settings)->perturbation(x, Valley{}, expected);
        for (char const* name : {"SSAM-F", "SSAM-D"}) {
            CAPTURE(name);
            auto method = one_method<T>(name, drawn.settings);
            method->set_mask(x, mask);
            method->perturbation(x, Valley{}, eps);
            auto product = flat(expected);
            for (std::size_t i = 0; i < mask.size(); ++i) product[i] *= mask[i];
            CHECK(flat(eps) == product);
        }
    }
}
