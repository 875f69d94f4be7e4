// What holds for every method, whatever the parameters and hyper-parameters: they are drawn at random, and a
// failure says how to draw them again.

#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/polder.hpp>

#include "support/runs.hpp"

using namespace polder;
using namespace polder::test;

TEMPLATE_TEST_CASE("rho = 0 is the base optimizer bit for bit", "[methods]", float, double) {
    using T = TestType;
    for (Case const& drawn : cases(25)) {
        CAPTURE(drawn);
        const test::Settings with = changed(drawn, [](test::Settings& s) {
            s.rho = 0;
            s.kappa = 1;
            s.alpha = 0;    // of GSAM, and of what LookSAM uses again
            s.gamma = 0.5;  // WSAM: the weight 1
        });
        auto const base = run<T>("plain", with, drawn);
        for (AnyMethod<T> const& method : all_methods<T>(with)) {
            CAPTURE(method.name());
            // The two steps of a mirror are there whatever rho.
            if (method.traits().mirrors) continue;
            CHECK(same_bits(run<T>(method, drawn), base));
        }
        CHECK(same_bits(run<T>("SGBD", with, drawn),
                        run<T>(
                            [&] {
                                auto mirror = one_method<T>("MG", with);
                                mirror->set_interval({.every = with.every});
                                return mirror;
                            }(),
                            drawn)));
    }
}

TEMPLATE_TEST_CASE("methods that are special cases of others agree bit for bit", "[methods]", float,
                   double) {
    using T = TestType;
    for (Case const& drawn : cases(25)) {
        CAPTURE(drawn);
        auto const sam = run<T>("SAM", drawn.settings, drawn);
        auto const base = run<T>("plain", drawn.settings, drawn);
        auto const is = [&](std::vector<T> const& expected, char const* name, auto const& change) {
            CAPTURE(name);
            CHECK(same_bits(run<T>(name, changed(drawn, change), drawn), expected));
        };
        auto const no_sigma = [](test::Settings& s) { s.sigma = 0; };
        is(sam, "FSAM", no_sigma);
        is(sam, "FSAM after update", no_sigma);
        is(sam, "FSAM reduced", no_sigma);
        is(sam, "BSAM constant", no_sigma);
        is(sam, "BSAM none", [](test::Settings&) {});
        auto const no_eta = [](test::Settings& s) { s.eta = 0; };
        is(sam, "FisherSAM", no_eta);
        is(sam, "FisherSAM running", no_eta);
        is(sam, "FisherSAM of samples", no_eta);
        is(sam, "FisherSAM of Euclidean length", no_eta);
        is(sam, "GSAM", [](test::Settings& s) { s.alpha = 0; });
        is(sam, "GNP", [](test::Settings& s) { s.kappa = 1; });
        is(base, "GNP", [](test::Settings& s) { s.kappa = 0; });
        is(base, "WSAM", [](test::Settings& s) { s.gamma = 0; });
        is(base, "WSAM coupled", [](test::Settings& s) { s.gamma = 0; });
        is(sam, "WSAM coupled", [](test::Settings& s) { s.gamma = 0.5; });
        is(sam, "LookSAM", [](test::Settings& s) { s.every = 1; });
        is(sam, "LookSAM per block", [](test::Settings& s) { s.every = 1; });
        is(run<T>("FSAM after update", drawn.settings, drawn), "BSAM constant",
           [](test::Settings&) {});
        is(sam, "ESAM", [](test::Settings& s) { s.sparsity = 0; });  // all coordinates move
        is(sam, "VaSSO",
           [](test::Settings& s) { s.lambda = 0; });  // no weight on earlier gradients
        is(base, "Momentum-SAM", [](test::Settings& s) { s.rho = 0; });
        is(base, "SAMPa", [](test::Settings& s) { s.rho = 0, s.kappa = 1; });
    }
}

TEMPLATE_TEST_CASE("Momentum-SAM is a step with the gradient at x - rho m / ||m||", "[methods]",
                   float, double) {
    // m by hand: SGD's sum of gradients, and the perturbed point in the scalar type of the parameters.
    using T = TestType;
    const double accuracy = std::is_same_v<T, float> ? 1e-5 : 1e-12;
    const T rate = T(0.1), momentum = T(0.5);
    const double rho = 0.3;
    std::vector<T> x(11), y, m(11), g(11), eps(11);
    test::set_start(x);
    y = x;
    MomentumSAM optimizer{SGD{.learning_rate = 0.1, .momentum = 0.5},
                          {.rho = rho, .norm_guard = 0}};
    for (int t = 0; t < steps; ++t) {
        Report const report = optimizer.perturbation(x, Valley{}, eps);
        CHECK(report.evaluations == 0);
        const double length = norm(in_double(m));
        CHECK(report.perturbation_norm == Approx(length > 0 ? rho : 0).epsilon(accuracy));
        for (std::size_t i = 0; i < y.size(); ++i) {
            double const expected = length > 0 ? -rho / length * static_cast<double>(m[i]) : 0;
            CHECK(static_cast<double>(eps[i]) == Approx(expected).margin(accuracy));
        }
        optimizer.step(x, Valley{});
        auto point = y;
        for (std::size_t i = 0; i < y.size(); ++i) {
            if (length > 0) point[i] -= T(rho / length) * m[i];
        }
        Valley{}(point, g, {});
        for (std::size_t i = 0; i < y.size(); ++i) {
            m[i] = momentum * m[i] + g[i];
            y[i] -= rate * m[i];
            CHECK(static_cast<double>(x[i]) == Approx(static_cast<double>(y[i])).margin(accuracy));
        }
    }
}

TEMPLATE_TEST_CASE("SAMPa goes on with the gradient that it has kept", "[methods]", float, double) {
    using T = TestType;
    for (Case const& drawn : cases(25)) {
        CAPTURE(drawn);
        test::Settings const& s = drawn.settings;
        auto x = drawn.parameters<T>();
        auto up = x, down = x, g = x, scratch = x;
        auto base = one_method<T>("plain", s);
        Valley{}(x, g, {});
        for (int t = 0; t < steps; ++t) {
            // x + rho g / ||g||, by SAM where g is the gradient.
            one_method<T>("SAM", s)->perturbation(
                x,
                [&](auto const&, auto& gradient, Pass) {
                    assign(gradient, flat(g));
                    return 0.0;
                },
                scratch);
            auto reached = flat(x);
            auto const eps = flat(scratch);
            for (std::size_t i = 0; i < eps.size(); ++i) reached[i] += eps[i];
            assign(up, reached);
            // BaseOpt(x, g), by a copy that is thrown away.
            auto trial = base;
            assign(down, flat(x));
            trial->step(down, [&](auto const&, auto& gradient, Pass) {
                assign(gradient, flat(g));
                return 0.0;
            });
            base->step(x, [&](auto const&, auto& gradient, Pass) {
                Valley{}(up, gradient, {});
                Valley{}(down, g, {Batch::second, false});
                auto u = flat(gradient);
                auto const h = flat(g);
                const T of_s = static_cast<T>(1 - (1 - s.kappa)),
                        of_h = static_cast<T>(1 - s.kappa);
                for (std::size_t i = 0; i < u.size(); ++i) u[i] = of_s * u[i] + of_h * h[i];
                assign(gradient, u);
                return 0.0;
            });
        }
        CHECK(same_bits(run<T>("SAMPa", s, drawn), flat(x)));
    }
}

TEMPLATE_TEST_CASE("a mirror is two steps of the base optimizer", "[methods]", float, double) {
    using T = TestType;
    for (Case const& drawn : cases(25)) {
        CAPTURE(drawn);
        test::Settings const& s = drawn.settings;
        // MG mirrors batches 0, beta, 2 beta, ... of an epoch, SGBD counts through.
        auto const by_hand = [&](std::uint64_t beta, bool by_epoch, bool ascends) {
            auto x = drawn.parameters<T>();
            auto eps = x, point = x;
            auto base = one_method<T>("plain", s), ascent = one_method<T>("SAM", s);
            for (int t = 0; t < steps; ++t) {
                if (static_cast<std::uint64_t>(by_epoch ? t % epoch : t) % beta != 0) {
                    base->step(x, Valley{});
                    continue;
                }
                auto reached = flat(x);
                if (ascends) {
                    ascent->perturbation(x, Valley{}, eps);
                    auto const move = flat(eps);
                    for (std::size_t i = 0; i < move.size(); ++i) reached[i] += move[i];
                }
                assign(point, reached);
                base->step(x, [&](auto const&, auto& gradient, Pass pass) {
                    return weighted<T>(s.alpha1)(point, gradient, pass);
                });
                base->step(x, weighted<T>(-s.alpha2));
            }
            return flat(x);
        };
        CHECK(same_bits(run<T>("MG", s, drawn), by_hand(s.every, true, false)));
        CHECK(same_bits(run<T>("SGBD", s, drawn), by_hand(s.every, false, true)));

        // A beta that is larger than the run: as the paper counts, no step is mirrored. As the authors'
        // trainer counts, the first batch of every epoch still is.
        auto const rare = changed(drawn, [](test::Settings& with) { with.every = steps + 1; });
        CHECK(same_bits(run<T>("MG", rare, drawn), by_hand(rare.every, true, false)));
        auto as_in_paper = one_method<T>("MG", rare);
        as_in_paper->set_interval({.every = rare.every, .phase = Phase::last});
        CHECK(same_bits(run<T>(as_in_paper, drawn), run<T>("plain", s, drawn)));
    }
}

TEMPLATE_TEST_CASE("zero gradients move nothing and give no not-a-number", "[methods]", float,
                   double) {
    using T = TestType;
    for (Case const& drawn : cases(25)) {
        CAPTURE(drawn);
        // Weight decay is the only thing that moves then: it is left out, or x is zero.
        auto const without = changed(drawn, [](test::Settings& s) { s.base.weight_decay = 0; });
        for (bool at_zero : {false, true}) {
            for (AnyMethod<T>& method :
                 all_methods<T>(at_zero ? drawn.settings : without, at_zero)) {
                auto x = drawn.parameters<T>();
                if (at_zero) assign(x, std::vector<T>(drawn.coordinates()));
                auto const before = flat(x);
                for (int t = 0; t < steps; ++t) {
                    CAPTURE(method.name(), at_zero, t);
                    if (t % epoch == 0) method->begin_epoch();
                    const Report report = method->step(x, flat_loss<T>);
                    // Not-a-number on steps without a perturbation.
                    CHECK_FALSE(report.perturbation_norm > 0);
                    CHECK_FALSE(std::abs(report.sharpness()) > 0);
                    CHECK(same_bits(flat(x), before));
                }
            }
        }
    }
}

TEMPLATE_TEST_CASE("gradients that become zero give no not-a-number", "[methods]", float, double) {
    using T = TestType;
    for (Case const& drawn : cases(25)) {
        CAPTURE(drawn);
        for (AnyMethod<T>& method : all_methods<T>(drawn.settings, true)) {
            CAPTURE(method.name());
            auto x = drawn.parameters<T>();
            for (int t = 0; t < steps; ++t) {
                if (t < 3) {
                    method->step(x, Valley{});
                } else {
                    method->step(x, flat_loss<T>);
                }
            }
            auto const values = flat(x);
            CHECK(std::all_of(values.begin(), values.end(), [](T v) { return std::isfinite(v); }));
        }
    }
}
