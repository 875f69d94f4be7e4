// The mixed loss of two batches.

#include "support/catch.hpp"

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <polder/polder.hpp>

#include "support/runs.hpp"

using namespace polder;
using namespace polder::test;

TEMPLATE_TEST_CASE("kappa = 1 is the method without the second batch", "[methods]", float, double) {
    using T = TestType;
    for (Case const& drawn : cases(25)) {
        CAPTURE(drawn);
        const test::Settings with = changed(drawn, [](test::Settings& s) { s.kappa = 1; });
        auto const methods = all_methods<T>(with);
        for (AnyMethod<T> const& method : methods) {
            if (!method.traits().second_batch) continue;
            CAPTURE(method.name());
            std::string name = method.name();
            name.erase(name.find('+'), 1);
            if (name == "BSAM") name = "BSAM cosine";
            CHECK(same_bits(run<T>(method, drawn), run<T>(name.c_str(), with, drawn)));
        }
    }
}

TEMPLATE_TEST_CASE("kappa = 0 is the base optimizer on the second batch", "[methods]", float,
                   double) {
    using T = TestType;
    for (Case const& drawn : cases(25)) {
        CAPTURE(drawn);
        const test::Settings with = changed(drawn, [](test::Settings& s) { s.kappa = 0; });
        auto const base =
            run<T>(one_method<T>("plain", with), drawn, [](auto const& x, auto& gradient, Pass) {
                return Valley{}(x, gradient, Pass{Batch::second, false});
            });
        for (AnyMethod<T> const& method : all_methods<T>(with)) {
            CAPTURE(method.name());
            if (method.traits().second_batch) CHECK(same_bits(run<T>(method, drawn), base));
        }
    }
}

TEST_CASE("Plus goes around Momentum-SAM, whose ascent is along the base optimizer's momentum",
          "[methods]") {
    auto const loss = [](std::vector<double> const& x, std::vector<double>& gradient, Pass pass) {
        double const minimum = pass.batch == Batch::first ? 0 : 0.3;
        double sum = 0;
        for (std::size_t i = 0; i < x.size(); ++i) {
            gradient[i] = x[i] - minimum;
            sum += gradient[i] * gradient[i] / 2;
        }
        return sum;
    };
    std::vector<double> x{1, -2, 0.5}, by_hand = x, momentum(3), s(3), second(3);
    Optimizer optimizer{Plus<MomentumAscent>{0.6, {.rho = 0.3}},
                        SGD{.learning_rate = 0.1, .momentum = 0.9}};
    for (int t = 0; t < 20; ++t) {
        optimizer.step(x, loss);
        double square = 0;
        for (double const m : momentum) square += m * m;
        auto y = by_hand;
        for (std::size_t i = 0; i < 3; ++i) y[i] -= 0.3 * momentum[i] / (std::sqrt(square) + 1e-12);
        loss(y, s, {.batch = Batch::first});
        loss(by_hand, second, {.batch = Batch::second});
        for (std::size_t i = 0; i < 3; ++i) {
            double const u = 0.6 * s[i] + 0.4 * second[i];
            momentum[i] = 0.9 * momentum[i] + u;
            by_hand[i] -= 0.1 * momentum[i];
            CHECK(std::abs(x[i] - by_hand[i]) < 1e-12);
        }
    }
}
