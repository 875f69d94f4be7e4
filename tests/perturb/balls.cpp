// The perturbation of every ball.

#include "support/catch.hpp"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <polder/polder.hpp>

#include "support/runs.hpp"

using namespace polder;
using namespace polder::test;

namespace {

// A Fisher ball's estimate from the gradients at x, step by step.
template <class T>
class Fisher {
public:
    Fisher(std::string name, test::Settings const& with) : name_(std::move(name)), with_(with) {}

    std::vector<double> next(AnyContainer<T> const& x) {
        if (name_ == "FisherSAM of samples") {
            std::vector<double> mean;
            for (int k = 0; k < with_.samples; ++k) add(mean, squares(x, k), 1.0 / with_.samples);
            return mean;
        }
        if (name_ != "FisherSAM running") return squares(x, -1);
        const double decay = running_.empty() ? 0 : *with_.lambda;
        for (double& f : running_) f *= decay;
        add(running_, squares(x, -1), 1 - decay);
        return running_;
    }

private:
    static std::vector<double> squares(AnyContainer<T> const& x, int sample) {
        auto gradient = x;
        Valley{}(x, gradient, Pass{Batch::first, false, sample});
        auto g = in_double(flat(gradient));
        for (double& value : g) value *= value;
        return g;
    }
    static void add(std::vector<double>& sum, std::vector<double> const& more, double weight) {
        sum.resize(more.size());
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += weight * more[i];
    }

    std::string name_;
    test::Settings with_;
    std::vector<double> running_;
};

}  // namespace

TEMPLATE_TEST_CASE("the perturbation has norm rho in the ball's own norm", "[methods][perturb]",
                   float, double) {
    using T = TestType;
    const double accuracy = std::is_same_v<T, float> ? 1e-5 : 1e-12;
    for (Case const& drawn : cases(25)) {
        CAPTURE(drawn);
        const test::Settings with = changed(drawn, [](test::Settings& s) { s.norm_guard = 0; });
        for (AnyMethod<T>& method : all_methods<T>(with)) {
            if (!method.traits().perturbs) continue;
            auto x = drawn.parameters<T>();
            auto eps = x, gradient = x;
            Fisher<T> fisher(method.name(), with);
            typename AnyMethod<T>::Measured at;
            for_each_block(x, [&](T*, std::size_t size) { at.blocks.push_back(size); });
            for (int t = 0; t < steps; ++t) {
                CAPTURE(method.name(), t);
                if (t % epoch == 0) method->begin_epoch();
                const Report report = method->perturbation(x, Valley{}, eps);
                Valley{}(x, gradient, {});
                at.x = in_double(flat(x));
                at.g = in_double(flat(gradient));
                at.fisher = fisher.next(x);
                at.eps = in_double(flat(eps));
                CHECK(report.perturbation_norm == Approx(norm(at.eps)).epsilon(accuracy));
                for (double own : method->own_norms(at)) {
                    CHECK(own == Approx(with.rho).epsilon(accuracy));
                }
                if (method.traits().shortens) CHECK(norm(at.eps) <= with.rho * (1 + accuracy));
                method->step(x, Valley{});
            }
        }
    }
}

TEST_CASE("centralised and repeated ascents are those of the Euclidean ball",
          "[methods][perturb]") {
    for (Case const& drawn : cases(25)) {
        CAPTURE(drawn);
        auto x = drawn.parameters<double>();
        auto eps = x, sam = x, second = x, there = x;
        auto const perturb = [&](char const* name, AnyContainer<double>& at,
                                 AnyContainer<double>& into) {
            one_method<double>(name, drawn.settings)->perturbation(at, Valley{}, into);
            return flat(into);
        };
        auto const first = perturb("SAM", x, sam);

        // eps plus the means of its rows that were taken off is SAM's.
        auto const centralised = perturb("SAM centralised", x, eps);
        std::size_t begin = 0;
        for (BlockShape const& shape : drawn.blocks) {
            const std::size_t row_step = shape.row_major ? shape.cols : 1;
            const std::size_t col_step = shape.row_major ? 1 : shape.rows;
            for (std::size_t row = 0; row < shape.rows; ++row) {
                auto const at = [&](std::size_t col) {
                    return begin + row * row_step + col * col_step;
                };
                double mean = 0;
                for (std::size_t col = 0; col < shape.cols; ++col) mean += first[at(col)];
                mean = shape.cols < 2 ? 0 : mean / static_cast<double>(shape.cols);
                for (std::size_t col = 0; col < shape.cols; ++col) {
                    CHECK(centralised[at(col)] + mean ==
                          Approx(first[at(col)]).margin(1e-15 * drawn.settings.rho));
                }
            }
            begin += shape.rows * shape.cols;
        }

        // Two ascents: SAM's move, and SAM's move from there.
        auto const twice = perturb("SAM in two ascents", x, eps);
        auto reached = flat(x);
        for (std::size_t i = 0; i < reached.size(); ++i) reached[i] += first[i];
        assign(there, reached);
        auto const again = perturb("SAM", there, second);
        for (std::size_t i = 0; i < reached.size(); ++i) {
            CHECK(twice[i] == Approx(first[i] + again[i]).margin(1e-15));
        }
    }
}

TEMPLATE_TEST_CASE("a relative radius is rho times the length of the parameters",
                   "[methods][perturb]", float, double) {
    using T = TestType;
    const double accuracy = std::is_same_v<T, float> ? 1e-5 : 1e-12;
    for (Case const& drawn : cases(25)) {
        CAPTURE(drawn);
        auto x = drawn.parameters<T>();
        auto eps = x, expected = x;
        auto const perturb = [&](char const* name, AnyContainer<T>& into,
                                 test::Settings const& with) {
            one_method<T>(name, with)->perturbation(x, Valley{}, into);
            return in_double(flat(into));
        };
        const double length = norm(in_double(flat(x)));
        auto const relative = perturb("SAM relative", eps, drawn.settings);
        auto const sam =
            perturb("SAM", expected, changed(drawn, [&](test::Settings& s) { s.rho *= length; }));
        for (std::size_t i = 0; i < sam.size(); ++i) {
            CHECK(relative[i] == Approx(sam[i]).epsilon(accuracy));
        }
        // Block by block it is that of the block alone, where there is but one it is the same.
        if (drawn.blocks.size() == 1) {
            CHECK(norm(perturb("SAM relative per block", eps, drawn.settings)) ==
                  Approx(norm(relative)).epsilon(accuracy));
        }
    }
}

TEST_CASE("ASAM does not see two layers rescaled against each other", "[methods][perturb]") {
    // L = sum of (1 - cos(p - 0.3)) over the elements p of the product of U (m x k) and V (k x n): with eta = 0
    // it is the same at the perturbed point of (c U, V / c).
    for (Case drawn : cases(50)) {
        const std::size_t m = drawn.random.integer(1, 8), k = drawn.random.integer(1, 8),
                          n = drawn.random.integer(1, 8);
        drawn.blocks = {{m, k, true}, {k, n, true}};
        drawn.settings.eta = 0;
        drawn.settings.norm_guard = 0;
        CAPTURE(drawn);
        auto const loss = [&](AnyContainer<double> const& at, AnyContainer<double>& gradient,
                              Pass) {
            auto const w = flat(at);
            auto const u = [&](std::size_t i, std::size_t j) { return i * k + j; };
            auto const v = [&](std::size_t i, std::size_t j) { return m * k + i * n + j; };
            std::vector<double> g(w.size());
            double sum = 0;
            for (std::size_t i = 0; i < m; ++i) {
                for (std::size_t j = 0; j < n; ++j) {
                    double p = -0.3;
                    for (std::size_t l = 0; l < k; ++l) p += w[u(i, l)] * w[v(l, j)];
                    sum += 1 - std::cos(p);
                    for (std::size_t l = 0; l < k; ++l) {
                        g[u(i, l)] += std::sin(p) * w[v(l, j)];
                        g[v(l, j)] += std::sin(p) * w[u(i, l)];
                    }
                }
            }
            assign(gradient, g);
            return sum;
        };
        auto const perturbed_loss = [&](char const* name, double c) {
            auto x = drawn.parameters<double>();
            auto values = flat(x);
            for (std::size_t i = 0; i < values.size(); ++i) values[i] *= i < m * k ? c : 1 / c;
            assign(x, values);
            return one_method<double>(name, drawn.settings)->step(x, loss).perturbed_loss;
        };
        const double c = drawn.random.log_uniform(0.1, 10);
        const double power = std::exp2(static_cast<double>(drawn.random.integer(0, 16)) - 8);
        for (char const* name : {"ASAM", "ASAM+"}) {
            CAPTURE(name, c, power);
            const double expected = perturbed_loss(name, 1);
            CHECK(perturbed_loss(name, c) == Approx(expected).epsilon(1e-12));
            CHECK(perturbed_loss(name, power) == expected);  // nothing is rounded
        }
    }
}

TEST_CASE("a direction that nearly cancels still has norm rho", "[methods][perturb]") {
    // The same gradient at every step: with sigma = 1 all but a rounding error of v = g - e goes away.
    auto const constant_gradient = [](std::vector<double> const& x, std::vector<double>& gradient) {
        for (std::size_t i = 0; i < x.size(); ++i) gradient[i] = 1 + 1e-9 * test::start(i);
        return 0.0;
    };
    FSAM<SGD, MovingAverage> optimizer{SGD{}, {.rho = 0.3, .sigma = 1, .lambda = 0.1}};
    std::vector<double> x(100), eps(100);
    for (int t = 0; t < 9; ++t) {
        optimizer.perturbation(x, constant_gradient, eps);
        double square = 0;
        for (double e : eps) square += e * e;
        CHECK(std::sqrt(square) == Approx(0.3).epsilon(1e-3));
        optimizer.step(x, constant_gradient);
    }
}

TEST_CASE("no guard on the norm and a zero gradient give no not-a-number", "[methods][perturb]") {
    SAM optimizer{SGD{}, {.rho = 0.1, .norm_guard = 0}};
    std::vector<double> x{1, 2};
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>& g) {
        g = {0, 0};
        return 0.0;
    });
    CHECK(x == std::vector<double>{1, 2});
}

namespace {

// Half of the move, without an array that its weights or its filter read.
struct HalfTheMove : EuclideanBall {
    template <class V>
    V filter(V eps) const {
        return eps * V(0.5);
    }
};

}  // namespace

TEST_CASE("the filter of a ball that reads nothing is called", "[methods]") {
    std::vector<double> x{1, -2, 0.5}, eps(3);
    Sharpness optimizer{HalfTheMove{{.rho = 0.1}}, NoDistance{}, NoMix{}, SGD{}};
    auto const report = optimizer.perturbation(
        x,
        [](std::vector<double> const& at, std::vector<double>& gradient) {
            gradient = at;
            return 1.0;
        },
        eps);
    double square = 0;
    for (double const e : eps) square += e * e;
    CHECK(std::abs(std::sqrt(square) - 0.05) < 1e-9);
    CHECK(std::abs(report.perturbation_norm - 0.05) < 1e-9);
}
