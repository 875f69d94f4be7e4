// The methods outside of the family are their equations, as the reference in plain loops computes them.

#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include <polder/polder.hpp>

#include "support/any_container.hpp"
#include "support/plain_reference.hpp"
#include "support/random.hpp"
#include "support/valley.hpp"

using namespace polder;
using polder::test::flat;
using polder::test::PlainBlocks;

namespace {

using Blocks = PlainBlocks<double>;

// The loss of the tests, at values in one list.
double loss_of_list(plain::Vector const& at, plain::Vector& gradient, int batch, int sample) {
    return test::Valley{}(
        at, gradient, Pass{.batch = batch == 0 ? Batch::first : Batch::second, .sample = sample});
}

// Steps beside the reference, in epochs of 4 steps; what has an eps is asked for it before each.
template <class Optimizer>
void check_scheme(char const* name, Optimizer optimizer, plain::Method const& method) {
    CAPTURE(name);
    auto x = Blocks::of({{4, 3}, {3, 2, false}, {5}});
    auto eps = x;
    test::set_start(x);
    plain::Optimizer reference(method, {{.size = 12, .rows = 4, .cols = 3},
                                        {.size = 6, .rows = 3, .cols = 2, .row_major = false},
                                        {.size = 5, .rows = 5}});
    auto expected = flat(x);
    auto const f = [](plain::Vector const& at, plain::Vector& g, int batch, bool, int sample) {
        return loss_of_list(at, g, batch, sample);
    };
    auto const agree = [](std::vector<double> const& a, std::vector<double> const& b) {
        for (std::size_t i = 0; i < a.size(); ++i)
            if (!(std::abs(a[i] - b[i]) <= 1e-12)) return false;
        return a.size() == b.size();
    };
    for (int t = 0; t < 9; ++t) {
        CAPTURE(t);
        if (t % 4 == 0) {
            optimizer.begin_epoch();
            reference.begin_epoch();
        }
        if constexpr (Optimizer::has_perturbation) {
            optimizer.perturbation(x, test::Valley{}, eps);
            CHECK(agree(flat(eps), reference.perturbation(expected, f)));
        }
        Report const report = optimizer.step(x, test::Valley{});
        double const loss = reference.step(expected, f);
        REQUIRE(agree(flat(x), expected));
        CHECK(std::isnan(report.loss) == std::isnan(loss));
        if (!std::isnan(loss)) CHECK(report.loss == Approx(loss).epsilon(1e-12));
    }
}

constexpr SGD momentum{.learning_rate = 0.2, .momentum = 0.7, .weight_decay = 0.01};
constexpr Adam adam_of_schemes{.learning_rate = 0.03, .weight_decay = 0.02};

plain::Method over_momentum() {
    plain::Method method;
    method.base = {.rule = plain::Rule::sgd,
                   .learning_rate = momentum.learning_rate,
                   .weight_decay = momentum.weight_decay,
                   .momentum = momentum.momentum};
    return method;
}
plain::Method over_adam() {
    plain::Method method;
    method.base = {.rule = plain::Rule::adam,
                   .learning_rate = adam_of_schemes.learning_rate,
                   .weight_decay = adam_of_schemes.weight_decay};
    return method;
}

}  // namespace

TEST_CASE("methods outside of the family are their equations", "[methods]") {
    auto const euclidean = [](plain::Method method, double rho, double guard = 1e-12) {
        method.perturb.ball = plain::Ball::euclidean;
        method.perturb.rho = rho;
        method.perturb.norm_guard = guard;
        return method;
    };
    SECTION("mirrors") {
        auto method = over_momentum();
        method.scheme = plain::Scheme::mirror;
        method.alpha1 = 0.9;
        method.alpha2 = 0.3;
        method.interval = {.every = 3, .restart_each_epoch = true};
        check_scheme("MG", MirrorGradient{momentum, {.alpha1 = 0.9, .alpha2 = 0.3, .beta = 3}},
                     method);
        auto with_ball = euclidean(over_adam(), 0.2);
        with_ball.scheme = plain::Scheme::mirror;
        with_ball.alpha1 = 0.9;
        with_ball.alpha2 = 0.3;
        with_ball.interval = {.every = 2};
        check_scheme("SGBD",
                     SGBD{adam_of_schemes, {.rho = 0.2, .alpha1 = 0.9, .alpha2 = 0.3, .beta = 2}},
                     with_ball);
        with_ball.between = 0.3;
        check_scheme("SGBD as printed",
                     SGBD{adam_of_schemes,
                          {.rho = 0.2, .alpha1 = 0.9, .alpha2 = 0.3, .beta = 2, .literal = true}},
                     with_ball);
    }
    SECTION("LookSAM") {
        auto method = euclidean(over_momentum(), 0.2);
        method.mix.kind = plain::Mixture::reused_ascent;
        method.mix.alpha = 0.6;
        method.interval = {.every = 3};
        check_scheme("LookSAM", LookSAM{momentum, {.rho = 0.2, .every = 3, .alpha = 0.6}}, method);
        method.mix.per_block = true;
        check_scheme(
            "LookSAM per block",
            LookSAM<SGD, ReusedAscentPerBlock>{momentum, {.rho = 0.2, .every = 3, .alpha = 0.6}},
            method);
    }
    SECTION("Momentum-SAM") {
        auto method = euclidean(over_momentum(), 0.4);
        method.scheme = plain::Scheme::momentum_sam;
        check_scheme("Momentum-SAM", MomentumSAM{momentum, {.rho = 0.4}}, method);
        method = euclidean(over_adam(), 0.4);
        method.scheme = plain::Scheme::momentum_sam;
        method.sign = 1;
        check_scheme("Momentum-SAM up", MomentumSAM{adam_of_schemes, {.rho = 0.4, .sign = 1}},
                     method);
    }
    SECTION("SAMPa") {
        auto method = euclidean(over_adam(), 0.3);
        method.scheme = plain::Scheme::sampa;
        method.lambda = 0.35;
        check_scheme("SAMPa", SAMPa{adam_of_schemes, {.rho = 0.3, .lambda = 0.35}}, method);
    }
    SECTION("VaSSO") {
        auto method = euclidean(over_adam(), 0.3, 1e-7);
        method.distance.reference = plain::Reference::first_gradient;
        method.distance.along_average = true;
        method.distance.lambda = 0.6;
        check_scheme("VaSSO", VaSSO{adam_of_schemes, {.rho = 0.3, .theta = 0.4}}, method);
    }
}
