// check_closure passes closures that are right, and names every mistake that it knows.

#include "support/catch.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <random>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <polder/polder.hpp>

#include "support/cases.hpp"
#include "support/valley.hpp"

#if __has_include(<Eigen/Core>)
#include <Eigen/Core>
#endif

using namespace polder;
using polder::test::Case;
using polder::test::cases;
using polder::test::flat;
using polder::test::same_bits;
using polder::test::set_start;
using polder::test::Valley;

namespace {

using Vector = std::vector<double>;
using Layers = std::map<std::string, Vector>;

// L(x) = sum of (1 + i / 10) sin(x_i), whatever the blocks.
struct Waves {
    template <class C>
    double operator()(C const& x, C& gradient) const {
        auto const at = flat(x);
        double loss = 0;
        std::size_t i = 0;
        for_each_block(gradient, [&]<class T>(T* data, std::size_t size) {
            for (std::size_t k = 0; k < size; ++k, ++i) {
                double const a = 1 + static_cast<double>(i) / 10;
                loss += a * std::sin(static_cast<double>(at[i]));
                data[k] = static_cast<T>(a * std::cos(static_cast<double>(at[i])));
            }
        });
        return loss;
    }
};

// The report of a closure at a start of the shape of x; the start must come out as it went in.
template <class C, class Closure>
ClosureReport checked(C& x, Closure&& closure, CheckOptions const& options = {}) {
    auto const before = flat(x);
    auto const report = check_closure(x, closure, options);
    CHECK(same_bits(flat(x), before));
    return report;
}

Vector start() { return {0.4, -1.1, 2, 0.7, 1.3}; }
Layers layers() { return {{"bias", {0.4, -1.1}}, {"weight", {2, 0.7, 1.3}}}; }

template <class C>
void passes(C& x) {
    set_start(x);
    auto const report = checked(x, Waves{});
    INFO(report);
    CHECK(report.ok());
    CHECK(report.compared);
    CHECK(report.differences.size() > 1);
    CHECK(report.to_string().rfind("check_closure: ok (", 0) == 0);
    CHECK(report.coarse == std::is_same_v<scalar_t<C>, float>);
}

// That the report is not ok and has exactly one finding, with this text.
void finds(ClosureReport const& report, std::string const& text) {
    INFO(report);
    CHECK_FALSE(report.ok());
    CHECK_THAT(report.to_string(), ContainsSubstring("check_closure: 1 finding ("));
    CHECK_THAT(report.to_string(), ContainsSubstring(text));
}

}  // namespace

TEST_CASE("check_closure passes a right closure on every kind of container", "[closure]") {
    Vector doubles(40);
    passes(doubles);
    std::vector<float> floats(40);
    passes(floats);
    double array[7];
    passes(array);
    Vector memory(5);
    std::span<double> span(memory);
    passes(span);
    std::map<std::string, std::vector<float>> map{{"a", std::vector<float>(3)}, {"b", {}}};
    passes(map);
    std::tuple<Vector, std::vector<std::array<double, 2>>> nest{Vector(3), {2, {0, 0}}};
    passes(nest);
    ParameterArena<double> arena;
    arena.add("users", 5, 3);
    arena.add("items", 4, 3);
    passes(arena);
#if __has_include(<Eigen/Core>)
    Eigen::MatrixXd matrix(3, 4);
    passes(matrix);
    Eigen::VectorXf vector(6);
    passes(vector);
#endif
}

TEMPLATE_TEST_CASE("check_closure passes a right closure at random points", "[closure]", float,
                   double) {
    for (Case drawn : cases(30)) {
        CAPTURE(drawn);
        auto x = drawn.parameters<TestType>();
        auto const report =
            checked(x, Valley{}, {.coordinates = 50, .seed = drawn.random.integer(0, 1000)});
        CAPTURE(report);
        CHECK(report.ok());
        CHECK(report.passes_agree);
    }
}

TEST_CASE("the report of a right closure is short", "[closure]") {
    auto x = start();
    std::ostringstream out;
    out << check_closure(x, Waves{});
    CHECK(out.str() == "check_closure: ok (17 evaluations)\n"
                       "  Note: the gradient agrees with finite differences in 5 of 5 coordinates, "
                       "and along itself.\n");
    auto y = std::vector<float>(x.begin(), x.end());
    auto const coarse = check_closure(y, Waves{});
    CHECK(coarse.ok());
    CHECK_THAT(
        coarse.to_string(),
        ContainsSubstring("this is coarse, since parameters or losses are float: an error "
                          "below 2 %, or in a small coordinate, may pass. Check in double."));
}

TEST_CASE("check_closure compares as many coordinates as it is asked for", "[closure]") {
    Vector x(1000);
    set_start(x);
    auto const coordinates = [&](CheckOptions const& options) {
        std::vector<std::size_t> list;
        for (auto const& d : checked(x, Waves{}, options).differences)
            if (!d.block.empty()) list.push_back(d.coordinate);
        return list;
    };
    CHECK(coordinates({}).size() == 32);
    CHECK(coordinates({}) == coordinates({}));
    CHECK(coordinates({.seed = 2}) != coordinates({}));
    CHECK(coordinates({.coordinates = 999}).size() == 999);
    CHECK(coordinates({.coordinates = 2000}).size() == 1000);
    auto const none = checked(x, Waves{}, {.coordinates = 0});
    CHECK(none.ok());
    CHECK_FALSE(none.compared);
    CHECK(none.evaluations == 5);

    Layers blocks;
    for (char name = 'a'; name <= 'z'; ++name) blocks[std::string(1, name)] = Vector(10);
    set_start(blocks);
    std::map<std::string, int> visits;
    for (auto const& d : checked(blocks, Waves{}).differences) ++visits[d.block];
    CHECK(visits.size() == 27);  // and along the gradient
}

TEST_CASE("check_closure accepts kinks, linear losses and losses that are not finite nearby",
          "[closure]") {
    Vector x{0, 0.5, -2};
    CHECK(checked(x, [](Vector const& at, Vector& gradient) {
              double loss = 0;
              for (std::size_t i = 0; i < 3; ++i) {
                  loss += std::max(at[i], 0.0) + 0.1 * at[i];
                  gradient[i] = (at[i] > 0 ? 1 : 0) + 0.1;
              }
              return loss;
          }).ok());
    CHECK(checked(x, [](Vector const& at, Vector& gradient) {
              gradient = {1, 2, 3};
              return at[0] + 2 * at[1] + 3 * at[2];
          }).ok());
    auto const edge = checked(x, [](Vector const& at, Vector& gradient) {
        gradient = {0, 2 * at[1], 2 * at[2]};
        return at[0] > 0 ? std::nan("") : at[1] * at[1] + at[2] * at[2];
    });
    CHECK(edge.ok());
}

TEST_CASE("check_closure finds a closure that does not read `at`", "[closure]") {
    auto x = start();
    auto const captured =
        checked(x, [&](Vector const&, Vector& gradient) { return Waves{}(x, gradient); });
    finds(captured, "At: the closure reads x, not `at`");
    CHECK(captured.reads == ClosureReport::Reads::x);
    auto const part = checked(x, [&](Vector const& at, Vector& gradient) {
        auto mixed = at;
        mixed[2] = x[2];
        return Waves{}(mixed, gradient);
    });
    finds(part, "At: the closure reads x besides `at`");
    auto const copied =
        checked(x, [copy = x](Vector const&, Vector& gradient) { return Waves{}(copy, gradient); });
    finds(copied, "At: loss and gradient stay the same when x or `at` is moved");
    auto const no_loss = checked(x, [](Vector const& at, Vector& gradient) {
        Waves{}(at, gradient);
        return 0;
    });
    finds(no_loss, "At: the loss stays the same when `at` is moved, and the gradient does not.");
    auto const stale = checked(x, [copy = x](Vector const& at, Vector& gradient) {
        auto scratch = gradient;
        Waves{}(copy, gradient);
        return Waves{}(at, scratch);
    });
    finds(stale, "At: the gradient stays the same when `at` is moved, and the loss is not linear");
}

TEST_CASE("check_closure finds a gradient that is not overwritten", "[closure]") {
    auto x = layers();
    auto const left = checked(x, [](Layers const& at, Layers& gradient) {
        auto const kept = gradient["weight"][1];
        double const loss = Waves{}(at, gradient);
        gradient["weight"][1] = kept;
        return loss;
    });
    CHECK_THAT(left.to_string(),
               ContainsSubstring("Written: the closure leaves the gradient as it was: block "
                                 "'weight', coordinate 1 (1 of 3). Write all of it"));
    REQUIRE(left.unwritten.size() == 1);
    CHECK(left.unwritten[0].first == std::vector<std::size_t>{1});
    CHECK_FALSE(left.ok());

    auto const by_value =
        checked(x, [](Layers const& at, Layers gradient) { return Waves{}(at, gradient); });
    CHECK_THAT(by_value.to_string(),
               ContainsSubstring("block 'bias', all 2 coordinates; block 'weight', all 3 "
                                 "coordinates. Write all of it, zeros too; take it by reference"));

    auto const added = checked(x, [](Layers const& at, Layers& gradient) {
        auto const before = gradient["bias"];
        double const loss = Waves{}(at, gradient);
        for (std::size_t i = 0; i < 2; ++i) gradient["bias"][i] += before[i];
        return loss;
    });
    finds(added, "Written: the closure adds to what the gradient held before: block 'bias', all 2 "
                 "coordinates. Overwrite it, or set it to zero first.");
    CHECK(added.unwritten.empty());
}

TEST_CASE("check_closure finds a closure that is not the same twice", "[closure]") {
    auto x = start();
    std::mt19937 random;
    auto const noisy = checked(x, [&](Vector const& at, Vector& gradient) {
        double const loss = Waves{}(at, gradient);
        double const noise = static_cast<double>(random()) * 0x1p-33;
        for (double& g : gradient) g += noise;
        return loss + noise;
    });
    finds(noisy, "Twice: two calls at the same point differ: the loss by ");
    CHECK_THAT(noisy.to_string(), ContainsSubstring("by the Pass, or from the same seed"));
    CHECK(noisy.loss_spread > 0);
    CHECK(noisy.gradient_spread > 0);

    // One coordinate is left out in one call of 20, so most checks meet it in some call.
    int found = 0;
    for (unsigned seed = 0; seed < 100; ++seed) {
        std::mt19937 own(seed);
        auto const seldom = checked(x, [&](Vector const& at, Vector& gradient) {
            double const loss = Waves{}(at, gradient);
            if (own() % 20 != 0) return loss;
            gradient[0] = 0;
            return loss - std::sin(at[0]);
        });
        if (seldom.ok()) continue;
        ++found;
        finds(seldom, "Twice: two calls at the same point differ: the loss by ");
    }
    CHECK(found > 40);

    Vector sum(5);
    auto const summed = checked(x, [&](Vector const& at, Vector& gradient) {
        double const loss = Waves{}(at, gradient);
        for (std::size_t i = 0; i < 5; ++i) sum[i] += gradient[i];
        gradient = sum;
        return loss;
    });
    finds(summed, "Twice: the gradient of a second call is two times that of the first");

    double tiny = 0;
    auto const rounding = checked(x, [&](Vector const& at, Vector& gradient) {
        tiny = 1e-15 - tiny;
        return Waves{}(at, gradient) + tiny;
    });
    CHECK(rounding.ok());
    CHECK_THAT(rounding.to_string(),
               ContainsSubstring("Note: two calls at the same point differ by rounding"));
}

TEST_CASE("check_closure finds what is not finite, and where", "[closure]") {
    auto x = layers();
    double const infinity = std::numeric_limits<double>::infinity();
    finds(checked(x, [](Layers const& at,
                        Layers& gradient) { return 0 * Waves{}(at, gradient) + std::nan(""); }),
          "Finite: the loss is nan.");
    auto const bad = checked(x, [&](Layers const& at, Layers& gradient) {
        double const loss = Waves{}(at, gradient);
        gradient["weight"][0] = infinity;
        gradient["weight"][2] = std::nan("");
        return loss;
    });
    finds(bad, "Finite: the gradient is not finite: block 'weight', coordinates 0, 2 (2 of 3)");
    x["bias"][1] = infinity;
    CHECK_THAT(checked(x, Waves{}).to_string(),
               ContainsSubstring(
                   "Finite: the parameters are not finite: block 'bias', coordinate 1 (1 of 2)"));
}

TEST_CASE("check_closure finds a gradient that disagrees with finite differences", "[closure]") {
    auto x = layers();
    auto const times = [](double factor) {
        return [factor](Layers const& at, Layers& gradient) {
            double const loss = Waves{}(at, gradient);
            for (auto& [name, block] : gradient)
                for (double& g : block) g *= factor;
            return loss;
        };
    };
    finds(checked(x, times(-1)), "Differences: the gradient is that of -loss.");
    auto const sum = checked(x, times(32));
    finds(sum, "Differences: the gradient is 32 times the finite differences. Is one a sum over "
               "the batch and the other a mean?");
    CHECK(sum.factor == Approx(32));
    finds(checked(x, times(-0.25)), "is -0.25 times the finite differences");
    auto const decay = checked(x, [](Layers const& at, Layers& gradient) {
        double const loss = Waves{}(at, gradient);
        for (auto& [name, block] : gradient)
            for (std::size_t i = 0; i < block.size(); ++i) block[i] += 0.01 * at.at(name)[i];
        return loss;
    });
    finds(decay, "+ 0.01 x: weight decay is in the gradient and not in the loss");
    auto const wrong = checked(x, [](Layers const& at, Layers& gradient) {
        double const loss = Waves{}(at, gradient);
        gradient["weight"][2] = 0.5;
        return loss;
    });
    finds(wrong, "Worst: block 'weight', coordinate 2: gradient 0.5, finite difference 0.374498.");
    CHECK_THAT(wrong.to_string(), ContainsSubstring("disagrees with 2 of 6 finite differences"));
    CHECK(wrong.worst()->coordinate == 2);
}

TEST_CASE("check_closure tells sign and factor in float, too", "[closure]") {
    std::vector<float> x(200);
    set_start(x);
    for (float const factor : {-1.0F, 8.0F}) {
        auto const report =
            checked(x, [&](std::vector<float> const& at, std::vector<float>& gradient) {
                auto const loss = static_cast<float>(Waves{}(at, gradient));
                for (float& g : gradient) g *= factor;
                return loss;
            });
        finds(report, factor < 0 ? "is that of -loss" : " times the finite differences");
        CHECK(report.factor == Approx(factor).epsilon(0.02));
    }
}

TEST_CASE("losses of float's precision are taken for that, in double parameters, too",
          "[closure]") {
    auto x = start();
    auto const report = checked(x, [](Vector const& at, Vector& gradient) {
        return static_cast<double>(static_cast<float>(Waves{}(at, gradient)));
    });
    CHECK(report.ok());
    CHECK(report.coarse);
}

TEST_CASE("check_closure finds a gradient of another shape", "[closure]") {
    auto x = layers();
    auto const shorter = checked(x, [](Layers const& at, Layers& gradient) {
        double const loss = Waves{}(at, gradient);
        gradient["weight"].resize(1);
        return loss;
    });
    finds(shorter, "Shape: block 'weight' of the gradient has 1 coordinates, expected 3.");
    auto const fewer = checked(x, [](Layers const& at, Layers& gradient) {
        double const loss = Waves{}(at, gradient);
        gradient.erase("bias");
        return loss;
    });
    finds(fewer, "Shape: the gradient has 1 blocks, expected 2.");
}

TEST_CASE("check_closure finds a gradient that is zero", "[closure]") {
    Vector zero(4);
    auto const square = [](Vector const& at, Vector& gradient) {
        double loss = 0;
        for (std::size_t i = 0; i < at.size(); ++i) {
            loss += at[i] * at[i] / 2;
            gradient[i] = at[i];
        }
        return loss;
    };
    finds(checked(zero, square), "Zero: the gradient is zero everywhere, and so are the finite "
                                 "differences: x is a stationary point.");
    auto x = start();
    finds(checked(x,
                  [&](Vector const& at, Vector& gradient) {
                      double const loss = square(at, gradient);
                      gradient.assign(at.size(), 0);
                      return loss;
                  }),
          "Zero: the gradient is zero everywhere, and the finite differences are not.");
    auto y = layers();
    auto const block = checked(y, [](Layers const& at, Layers& gradient) {
        double const loss = Waves{}(at, gradient);
        double const part = std::sin(at.at("bias")[0]) + 1.1 * std::sin(at.at("bias")[1]);
        gradient["bias"] = {0, 0};
        return loss - part;
    });
    CHECK(block.ok());
    CHECK_THAT(block.to_string(),
               ContainsSubstring("Note: the gradient is zero in 1 of the blocks: 'bias'."));
}

TEST_CASE("check_closure notes that the passes of one batch differ", "[closure]") {
    auto x = start();
    auto const report = checked(x, [](Vector const& at, Vector& gradient, Pass pass) {
        CHECK(pass.batch == Batch::first);
        return Waves{}(at, gradient) + (pass.perturbed ? 0.1 : 0);
    });
    CHECK(report.ok());
    CHECK_FALSE(report.passes_agree);
    CHECK_THAT(report.to_string(),
               ContainsSubstring("Note: at the same point, Pass::perturbed = false and true "
                                 "differ. Use the same batch and dropout mask in both."));
}

TEST_CASE("check_closure finds a closure that moves the parameters, and puts them back",
          "[closure]") {
    auto x = start();
    auto const report = checked(x, [&](Vector const& at, Vector& gradient) {
        x[1] += 1;
        return Waves{}(at, gradient);
    });
    CHECK_FALSE(report.ok());
    CHECK_THAT(report.to_string(), ContainsSubstring("Parameters: the closure writes to the "
                                                     "parameters; they have been put back."));
}

TEST_CASE("check_closure leaves x as it was where the closure throws", "[closure]") {
    auto const x = start();
    for (int last = 1; last <= 17; ++last) {
        CAPTURE(last);
        auto y = x;
        Vector gradient(x.size());
        int calls = 0;
        auto const interrupt = [&] {
            if (++calls == last) throw std::runtime_error("interrupted");
        };
        CHECK_THROWS_WITH(check_closure(y,
                                        [&](Vector const& at, Vector& to) {
                                            interrupt();
                                            return Waves{}(at, to);
                                        }),
                          "interrupted");
        CHECK(same_bits(x, y));
        if (last == 17) continue;  // in place there is one call less
        calls = 0;
        CHECK_THROWS_WITH(check_closure_in_place(y, gradient,
                                                 [&] {
                                                     interrupt();
                                                     return Waves{}(y, gradient);
                                                 }),
                          "interrupted");
        CHECK(same_bits(x, y));
    }
}

TEST_CASE("check_closure_in_place looks at a model that owns its parameters", "[closure]") {
    struct Model {
        Layers parameters = layers();
        Layers gradient = layers();
    } model;
    auto const before = model.parameters;
    auto const check = [&](auto&& closure) {
        auto const report = check_closure_in_place(model.parameters, model.gradient, closure);
        CHECK(model.parameters == before);
        CHECK(report.in_place);
        return report;
    };
    CHECK(check([&] { return Waves{}(model.parameters, model.gradient); }).ok());
    CHECK(check([&](Pass) { return Waves{}(model.parameters, model.gradient); }).ok());
    finds(check([&] { return Waves{}(before, model.gradient); }),
          "At: loss and gradient stay the same when the parameters are moved");
    finds(check([&] {
              auto const held = model.gradient;
              double const loss = Waves{}(model.parameters, model.gradient);
              for (auto& [name, block] : model.gradient)
                  for (std::size_t i = 0; i < block.size(); ++i) block[i] += held.at(name)[i];
              return loss;
          }),
          "Written: the closure adds to what the gradient held before");
    CHECK_THAT(check([&] {
                   double const loss = Waves{}(model.parameters, model.gradient);
                   for (double& value : model.parameters["weight"]) value -= 0.1;
                   return loss;
               }).to_string(),
               ContainsSubstring("the closure writes to the parameters; they have been put back"));
    model.gradient.erase("bias");
    finds(check([&] { return Waves{}(model.parameters, model.gradient); }),
          "Shape: the gradient has 1 blocks, expected 2.");
}
