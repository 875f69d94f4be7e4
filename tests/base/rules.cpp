// Every base optimizer against its equations in plain loops.

#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <polder/polder.hpp>

#include "support/plain_reference.hpp"
#include "support/valley.hpp"

using namespace polder;
using polder::test::Valley;

namespace {

using Blocks = std::vector<std::vector<double>>;

// Twelve steps over two blocks, by polder and by the loops.
template <class BaseOpt>
void check(std::string const& name, BaseOpt const& base, plain::Base const& equations) {
    Blocks x{std::vector<double>(7), std::vector<double>(12)};
    test::set_start(x);
    auto y = test::flat(x);
    Plain optimizer{base};
    plain::Optimizer loops{{.base = equations}, {{.size = 7}, {.size = 12}}};
    for (int t = 0; t < 12; ++t) {
        CAPTURE(name, t);
        optimizer.step(x, Valley{});
        loops.step(y, [](plain::Vector const& at, plain::Vector& g, int, bool, int) {
            return Valley{}(at, g, Pass{});
        });
        auto const found = test::flat(x);
        for (std::size_t i = 0; i < y.size(); ++i) {
            CHECK(found[i] == Approx(y[i]).epsilon(1e-12).margin(1e-14));
        }
    }
}

// 131 parameters after six steps, in blocks of `block` coordinates. A block of one coordinate goes through the loops alone, those
// of a longer one in packs. A limit that no gradient reaches takes the general form of the last pass.
template <class T, class BaseOpt>
std::vector<T> after_steps(BaseOpt const& base, std::size_t block, double limit) {
    std::vector<std::vector<T>> x;
    for (std::size_t i = 0; i < 131; i += block) x.emplace_back(std::min(block, 131 - i), T(1));
    Plain optimizer{base};
    optimizer.set_clipping({.value = limit});
    for (int t = 0; t < 6; ++t) {
        optimizer.step(x, [&](auto const&, auto& g) {
            std::size_t i = 0;
            for (auto& values : g) {
                for (T& v : values) v = T(std::sin(static_cast<double>(++i * 7) + t + 0.1));
            }
            return 1.0;
        });
    }
    return test::flat(x);
}

}  // namespace

TEMPLATE_TEST_CASE("packs, their tails and the plain form of a rule give the same bits", "[base]",
                   float, double) {
    auto const check_bits = [](std::string const& name, auto const& base) {
        CAPTURE(name);
        auto const whole = after_steps<TestType>(base, 131, Clipping{}.value);
        CHECK(after_steps<TestType>(base, 1, Clipping{}.value) == whole);
        CHECK(after_steps<TestType>(base, 13, Clipping{}.value) == whole);
        CHECK(after_steps<TestType>(base, 131, 1e30) == whole);
    };
    check_bits("Adam", Adam{});
    check_bits("Adam with decay", Adam{.weight_decay = 0.1, .maximize = true});
    check_bits("AMSGrad", Adam{.amsgrad = true});
    check_bits("AdamW", AdamW{.weight_decay = 0.1});
    check_bits("RMSprop", RMSprop{.momentum = 0.9, .centered = true});
    check_bits("Adagrad", Adagrad{});
    check_bits("SGD", SGD{.learning_rate = 0.1, .momentum = 0.9});
}

TEST_CASE("a base optimizer is its equations", "[base]") {
    using plain::Rule;
    check("SGD", SGD{.learning_rate = 0.1}, {.rule = Rule::sgd, .learning_rate = 0.1});
    check("SGD with momentum",
          SGD{.learning_rate = 0.1, .momentum = 0.9, .dampening = 0.3, .weight_decay = 0.01},
          {.rule = Rule::sgd,
           .learning_rate = 0.1,
           .weight_decay = 0.01,
           .momentum = 0.9,
           .dampening = 0.3});
    check("SGD of Nesterov", SGD{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true},
          {.rule = Rule::sgd, .learning_rate = 0.1, .momentum = 0.9, .nesterov = true});
    check("Adam", Adam{.learning_rate = 0.02, .weight_decay = 0.01},
          {.rule = Rule::adam, .learning_rate = 0.02, .weight_decay = 0.01});
    check("AMSGrad", Adam{.learning_rate = 0.02, .amsgrad = true},
          {.rule = Rule::adam, .learning_rate = 0.02, .amsgrad = true});
    check("AdamW", AdamW{.learning_rate = 0.02, .weight_decay = 0.1},
          {.rule = Rule::adamw, .learning_rate = 0.02, .weight_decay = 0.1});
    check("RMSprop", RMSprop{.learning_rate = 0.02, .alpha = 0.9},
          {.rule = Rule::rmsprop, .learning_rate = 0.02, .alpha = 0.9});
    check("RMSprop centred with momentum",
          RMSprop{.learning_rate = 0.02, .alpha = 0.9, .momentum = 0.5, .centered = true},
          {.rule = Rule::rmsprop,
           .learning_rate = 0.02,
           .momentum = 0.5,
           .alpha = 0.9,
           .centered = true});
    check("Adagrad", Adagrad{.learning_rate = 0.1, .learning_rate_decay = 0.01},
          {.rule = Rule::adagrad, .learning_rate = 0.1, .eps = 1e-10, .learning_rate_decay = 0.01});
    check("Lion", Lion{.learning_rate = 0.01, .weight_decay = 0.1},
          {.rule = Rule::lion, .learning_rate = 0.01, .weight_decay = 0.1, .beta2 = 0.99});
    check("LAMB", LAMB{.learning_rate = 0.02, .weight_decay = 0.1},
          {.rule = Rule::lamb, .learning_rate = 0.02, .weight_decay = 0.1, .eps = LAMB{}.eps});
}
