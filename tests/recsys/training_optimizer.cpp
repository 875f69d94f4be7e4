#include "recsys/training/optimizer.hpp"

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include <polder/polder.hpp>

#include "support/catch.hpp"

namespace {

using namespace polder::recsys;
using polder::ParameterArena;
using polder::Pass;

ParameterArena<float> start() {
    ParameterArena<float> x;
    x.add("x", 3, 1);
    for (std::size_t k = 0; k < 3; ++k) x.data()[k] = static_cast<float>(k) + 1;
    return x;
}

// A bowl per batch: their centres differ.
double bowl(ParameterArena<float> const& x, ParameterArena<float>& gradient, Pass pass) {
    float const centre = pass.batch == polder::Batch::first ? 0.0F : 0.5F;
    double loss = 0;
    for (std::size_t k = 0; k < x.size(); ++k) {
        float const scale = static_cast<float>(k) + 1;
        gradient.data()[k] = scale * (x.data()[k] - centre);
        loss += 0.5 * static_cast<double>(scale * (x.data()[k] - centre) * (x.data()[k] - centre));
    }
    return loss;
}

std::vector<std::string> names(OptimizerOptions const& options) {
    std::vector<std::string> result;
    for (auto const& each : hyper_parameters(options)) result.push_back(each.name);
    return result;
}

}  // namespace

TEST_CASE("every name makes an optimizer that goes downhill", "[optimizer]") {
    auto const method = std::string(GENERATE(from_range(optimizer_methods)));
    auto const base = std::string(GENERATE(from_range(base_optimizers)));
    auto const distance = std::string(GENERATE(from_range(optimizer_distances)));
    if (!method.starts_with("bsam") && distance != "manhattan") return;
    CAPTURE(method, base, distance);
    auto const optimizer = make_optimizer({method, base, distance, {{"learning_rate", "0.05"}}});
    auto x = start();
    auto const before = optimizer->step(x, bowl).loss;
    double after = before;
    for (int step = 0; step < 100; ++step) after = optimizer->step(x, bowl).loss;
    CHECK(after < 0.5 * before);
}

TEST_CASE("a name gives the optimizer that the library composes", "[optimizer]") {
    auto const by_name = make_optimizer({"bsam+",
                                         "sgd",
                                         "cosine",
                                         {{"rho", "0.2"},
                                          {"kappa", "0.3"},
                                          {"lambda", "0.5"},
                                          {"learning_rate", "0.1"},
                                          {"momentum", "0.9"}}});
    polder::SGD base;
    base.learning_rate = 0.1;
    base.momentum = 0.9;
    polder::BSAMPlus composed{base, {.rho = 0.2, .lambda = 0.5, .kappa = 0.3}, polder::Cosine{}};
    auto a = start(), b = start();
    for (int step = 0; step < 10; ++step) {
        by_name->step(a, bowl);
        composed.step(b, bowl);
    }
    CHECK(std::vector<float>(a.begin(), a.end()) == std::vector<float>(b.begin(), b.end()));
}

TEST_CASE("hyper-parameters are listed with the library's defaults", "[optimizer]") {
    using Names = std::vector<std::string>;
    CHECK(names({"none", "sgd", "manhattan", {}}) ==
          Names{"learning_rate", "momentum", "weight_decay"});
    CHECK(names({"sam", "adam", "manhattan", {}}) ==
          Names{"learning_rate", "beta1", "beta2", "eps", "weight_decay", "rho"});
    CHECK(names({"bsam+", "sgd", "constant", {}}) ==
          Names{"learning_rate", "momentum", "weight_decay", "rho", "lambda", "kappa", "sigma"});
    for (auto const& each : hyper_parameters({"bsam", "adam", "manhattan", {{"lambda", "0.2"}}})) {
        if (each.name == "rho") CHECK(std::get<double>(each.value) == polder::BSAMOptions{}.rho);
        if (each.name == "lambda") CHECK(std::get<double>(each.value) == 0.2);
    }
}

TEST_CASE("unknown names and wrong values are answered with what is known", "[optimizer]") {
    auto const fails = [](OptimizerOptions const& options, std::string const& message) {
        CHECK_THROWS_WITH(make_optimizer(options), ContainsSubstring(message));
        CHECK_THROWS_WITH(hyper_parameters(options), ContainsSubstring(message));
    };
    fails({"sham", "adam", "manhattan", {}},
          "unknown optimizer 'sham'; known: none, sam, fsam, bsam, sam+, fsam+, bsam+");
    fails({"sam", "adamw", "manhattan", {}}, "unknown base optimizer 'adamw'; known: adam, sgd");
    fails({"bsam", "adam", "l1", {}}, "unknown distance 'l1'; known: manhattan, manhattan_mean");
    fails({"sam", "adam", "manhattan", {{"lambda", "0.5"}}},
          "optimizer 'sam' on 'adam' has no hyper-parameter 'lambda'; known: learning_rate, beta1");
    fails({"sam", "adam", "manhattan", {{"rho", "wide"}}}, "rho = 'wide', expected a number");
    fails({"sam", "adam", "manhattan", {{"rho", "-1"}}}, "rho = -1");
    fails({"bsam", "adam", "manhattan", {{"lambda", "1"}}}, "lambda = 1");
    fails({"none", "sgd", "manhattan", {{"learning_rate", "nan"}}}, "learning_rate");
}
