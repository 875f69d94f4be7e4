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

#include "support/any_method.hpp"
#include "support/cases.hpp"
#include "support/valley.hpp"

using namespace polder;
using polder::test::all_methods;
using polder::test::AnyContainer;
using polder::test::AnyMethod;
using polder::test::Case;
using polder::test::cases;
using polder::test::flat;
using polder::test::one_method;
using polder::test::same_bits;
using polder::test::Valley;

namespace {

constexpr int steps = 8;
constexpr int epoch = 4;  // steps of it

template <class T>
using Closure = typename AnyMethod<T>::ContainerClosure;

// The parameters after 8 steps in 2 epochs. Optimizer: AnyMethod, or a class of the library.
template <class T, class Optimizer>
std::vector<T> run(Optimizer optimizer, Case const& drawn, Closure<T> const& closure = Valley{}) {
    auto x = drawn.parameters<T>();
    const auto go = [&](auto& method) {
        for (int t = 0; t < steps; ++t) {
            if (t % epoch == 0) method.begin_epoch();
            method.step(x, closure);
        }
    };
    if constexpr (std::is_same_v<Optimizer, AnyMethod<T>>) {
        go(*optimizer.operator->());
    } else {
        go(optimizer);
    }
    return flat(x);
}

template <class T>
std::vector<T> run(char const* name, test::Settings const& with, Case const& drawn) {
    return run<T>(one_method<T>(name, with), drawn);
}

// The drawn settings with some of them changed.
template <class Change>
test::Settings changed(Case const& drawn, Change const& change) {
    test::Settings with = drawn.settings;
    change(with);
    return with;
}

// Writes the values, counted through all blocks.
template <class T>
void assign(AnyContainer<T>& container, std::vector<T> const& values) {
    auto next = values.begin();
    for_each_block(container, [&](T* data, std::size_t size) {
        for (std::size_t i = 0; i < size; ++i) data[i] = *next++;
    });
}

// Valley, its gradient times a weight.
template <class T>
Closure<T> weighted(double weight) {
    return [weight](auto const& x, auto& gradient, Pass pass) {
        const double loss = Valley{}(x, gradient, pass);
        for_each_block(gradient, [&](T* data, std::size_t size) {
            for (std::size_t i = 0; i < size; ++i) data[i] *= static_cast<T>(weight);
        });
        return loss;
    };
}

template <class T>
double flat_loss(AnyContainer<T> const&, AnyContainer<T>& gradient, Pass) {
    for_each_block(gradient, [](T* data, std::size_t size) { std::fill_n(data, size, T(0)); });
    return 1;
}

std::vector<double> in_double(auto const& v) { return {v.begin(), v.end()}; }

double norm(std::vector<double> const& v) {
    double sum = 0;
    for (double value : v) sum += value * value;
    return std::sqrt(sum);
}

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
        const auto perturb = [&](char const* name, AnyContainer<double>& at,
                                 AnyContainer<double>& into) {
            one_method<double>(name, drawn.settings)->perturbation(at, Valley{}, into);
            return flat(into);
        };
        const auto first = perturb("SAM", x, sam);

        // eps plus the means of its rows that were taken off is SAM's.
        const auto centralised = perturb("SAM centralised", x, eps);
        std::size_t begin = 0;
        for (BlockShape const& shape : drawn.blocks) {
            const std::size_t row_step = shape.row_major ? shape.cols : 1;
            const std::size_t col_step = shape.row_major ? 1 : shape.rows;
            for (std::size_t row = 0; row < shape.rows; ++row) {
                const auto at = [&](std::size_t col) {
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
        const auto twice = perturb("SAM in two ascents", x, eps);
        auto reached = flat(x);
        for (std::size_t i = 0; i < reached.size(); ++i) reached[i] += first[i];
        assign(there, reached);
        const auto again = perturb("SAM", there, second);
        for (std::size_t i = 0; i < reached.size(); ++i) {
            CHECK(twice[i] == Approx(first[i] + again[i]).margin(1e-15));
        }
    }
}

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
        const auto base = run<T>("plain", with, drawn);
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

TEMPLATE_TEST_CASE("kappa = 1 is the method without the second batch", "[methods]", float, double) {
    using T = TestType;
    for (Case const& drawn : cases(25)) {
        CAPTURE(drawn);
        const test::Settings with = changed(drawn, [](test::Settings& s) { s.kappa = 1; });
        const auto methods = all_methods<T>(with);
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
        const auto base =
            run<T>(one_method<T>("plain", with), drawn, [](auto const& x, auto& gradient, Pass) {
                return Valley{}(x, gradient, Pass{Batch::second, false});
            });
        for (AnyMethod<T> const& method : all_methods<T>(with)) {
            CAPTURE(method.name());
            if (method.traits().second_batch) CHECK(same_bits(run<T>(method, drawn), base));
        }
    }
}

TEMPLATE_TEST_CASE("methods that are special cases of others agree bit for bit", "[methods]", float,
                   double) {
    using T = TestType;
    for (Case const& drawn : cases(25)) {
        CAPTURE(drawn);
        const auto sam = run<T>("SAM", drawn.settings, drawn);
        const auto base = run<T>("plain", drawn.settings, drawn);
        const auto is = [&](std::vector<T> const& expected, char const* name, auto const& change) {
            CAPTURE(name);
            CHECK(same_bits(run<T>(name, changed(drawn, change), drawn), expected));
        };
        const auto no_sigma = [](test::Settings& s) { s.sigma = 0; };
        is(sam, "FSAM", no_sigma);
        is(sam, "FSAM after update", no_sigma);
        is(sam, "FSAM reduced", no_sigma);
        is(sam, "BSAM constant", no_sigma);
        is(sam, "BSAM none", [](test::Settings&) {});
        const auto no_eta = [](test::Settings& s) { s.eta = 0; };
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

TEMPLATE_TEST_CASE("a relative radius is rho times the length of the parameters",
                   "[methods][perturb]", float, double) {
    using T = TestType;
    const double accuracy = std::is_same_v<T, float> ? 1e-5 : 1e-12;
    for (Case const& drawn : cases(25)) {
        CAPTURE(drawn);
        auto x = drawn.parameters<T>();
        auto eps = x, expected = x;
        const auto perturb = [&](char const* name, AnyContainer<T>& into,
                                 test::Settings const& with) {
            one_method<T>(name, with)->perturbation(x, Valley{}, into);
            return in_double(flat(into));
        };
        const double length = norm(in_double(flat(x)));
        const auto relative = perturb("SAM relative", eps, drawn.settings);
        const auto sam =
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

TEMPLATE_TEST_CASE("Momentum-SAM is a step with the gradient at x - rho m / ||m||", "[methods]",
                   float, double) {
    // m by hand: SGD's sum of gradients, and the perturbed point in the scalar type of the parameters.
    using T = TestType;
    const double accuracy = std::is_same_v<T, float> ? 1e-5 : 1e-12;
    const T rate = T(0.1), momentum = T(0.5);
    const double rho = 0.3;
    std::vector<T> x(11), y, m(11), g(11);
    test::set_start(x);
    y = x;
    MomentumSAM optimizer{SGD{.learning_rate = 0.1, .momentum = 0.5}, {.rho = rho}};
    for (int t = 0; t < steps; ++t) {
        optimizer.step(x, Valley{});
        const double length = norm(in_double(m));
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
            const auto eps = flat(scratch);
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
                const auto h = flat(g);
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
        const auto masked = [&](auto const& ball, auto const& distance, auto const& mix) {
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
        const auto loss = [&](AnyContainer<double> const& at, AnyContainer<double>& gradient,
                              Pass) {
            const auto w = flat(at);
            const auto u = [&](std::size_t i, std::size_t j) { return i * k + j; };
            const auto v = [&](std::size_t i, std::size_t j) { return m * k + i * n + j; };
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
        const auto perturbed_loss = [&](char const* name, double c) {
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

TEMPLATE_TEST_CASE("a mirror is two steps of the base optimizer", "[methods]", float, double) {
    using T = TestType;
    for (Case const& drawn : cases(25)) {
        CAPTURE(drawn);
        test::Settings const& s = drawn.settings;
        // MG mirrors batches 0, beta, 2 beta, ... of an epoch, SGBD counts through.
        const auto by_hand = [&](std::uint64_t beta, bool by_epoch, bool ascends) {
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
                    const auto move = flat(eps);
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
        const auto rare = changed(drawn, [](test::Settings& with) { with.every = steps + 1; });
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
        const auto without = changed(drawn, [](test::Settings& s) { s.base.weight_decay = 0; });
        for (bool at_zero : {false, true}) {
            for (AnyMethod<T>& method :
                 all_methods<T>(at_zero ? drawn.settings : without, at_zero)) {
                auto x = drawn.parameters<T>();
                if (at_zero) assign(x, std::vector<T>(drawn.coordinates()));
                const auto before = flat(x);
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
            const auto values = flat(x);
            CHECK(std::all_of(values.begin(), values.end(), [](T v) { return std::isfinite(v); }));
        }
    }
}
