#include "support/catch.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <polder/polder.hpp>

#include "support/any_method.hpp"
#include "support/valley.hpp"

using namespace polder;
using polder::test::all_methods;
using polder::test::same_bits;
using polder::test::Valley;

namespace {

using Net = std::map<std::string, std::vector<double>>;

Net net() {
    Net x{{"l1.bias", std::vector<double>(3)},
          {"l1.weight", std::vector<double>(12)},
          {"l2.weight", std::vector<double>(4)}};
    test::set_start(x);
    return x;
}

template <class Optimizer>
Net run(Optimizer optimizer, std::vector<Group> groups, int steps = 5) {
    optimizer.set_groups(std::move(groups));
    Net x = net();
    for (int t = 0; t < steps; ++t) optimizer.step(x, Valley{});
    return x;
}

const SGD sgd{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01};

}  // namespace

TEST_CASE("a group with the values of all others changes nothing", "[groups]") {
    const SAM sam{sgd, {.rho = 0.1}};
    const Net plain = run(sam, {});
    CHECK(run(sam, {{.name = "same", .blocks = {"l1.*"}}}) == plain);
    CHECK(run(sam, {{.name = "same",
                     .blocks = {"*.weight"},
                     .learning_rate = 0.1,
                     .weight_decay = 0.01,
                     .rho = 0.1}}) == plain);
}

TEST_CASE("a group has its own learning rate and weight decay", "[groups]") {
    // Without a perturbation the blocks do not see each other.
    const Net other =
        run(Plain{SGD{.learning_rate = 0.03, .momentum = 0.9, .weight_decay = 0.2}}, {});
    const Net both =
        run(Plain{sgd},
            {{.name = "biases", .blocks = {"*.bias"}, .learning_rate = 0.03, .weight_decay = 0.2}});
    const Net plain = run(Plain{sgd}, {});
    CHECK(both.at("l1.bias") == other.at("l1.bias"));
    CHECK(both.at("l1.weight") == plain.at("l1.weight"));
    CHECK(both.at("l2.weight") == plain.at("l2.weight"));
}

TEST_CASE("a group has its own radius", "[groups]") {
    SAM optimizer{sgd, {.rho = 0.1}};
    Net x = net(), eps = x, with = x;
    optimizer.perturbation(x, Valley{}, eps);
    optimizer.set_groups({{.name = "head", .blocks = {"l2.weight"}, .rho = 0.3}});
    const Report report = optimizer.perturbation(x, Valley{}, with);
    double square = 0;
    for (auto const& [name, values] : eps) {
        const double factor = name == "l2.weight" ? 3 : 1;
        for (std::size_t i = 0; i < values.size(); ++i) {
            CHECK(with.at(name)[i] == Approx(factor * values[i]).epsilon(1e-14));
            square += with.at(name)[i] * with.at(name)[i];
        }
    }
    CHECK(report.perturbation_norm == Approx(std::sqrt(square)));
}

TEST_CASE("a group that is not adaptive is scaled by 1", "[groups][perturb]") {
    ASAM optimizer{sgd, {.rho = 0.5, .eta = 0.01}};
    optimizer.set_groups({{.name = "all", .blocks = {"*"}, .adaptive = false}});
    SAM sam{sgd, {.rho = 0.5}};
    Net x = net(), eps = x, expected = x;
    optimizer.perturbation(x, Valley{}, eps);
    sam.perturbation(x, Valley{}, expected);
    for (auto const& [name, values] : expected) {
        for (std::size_t i = 0; i < values.size(); ++i) {
            CHECK(eps.at(name)[i] == Approx(values[i]).epsilon(1e-14));
        }
    }
}

TEST_CASE("a frozen block is neither read nor changed, with every method", "[groups]") {
    for (auto method : all_methods<double>({.rho = 0.1}, true)) {
        CAPTURE(method.name());
        auto alone = method;
        std::map<std::string, std::vector<double>> x{{"a", std::vector<double>(5)},
                                                     {"b", std::vector<double>(7)}},
            y{{"b", std::vector<double>(7)}};
        test::set_start(y);
        x["b"] = y["b"];
        auto const before = x["a"];
        method->set_groups({{.name = "frozen", .blocks = {"a"}, .frozen = true}});
        auto any_x = test::AnyContainer<double>::of(x), any_y = test::AnyContainer<double>::of(y);
        for (int t = 0; t < 5; ++t) {
            // What stands in the frozen block's gradient is nobody's business.
            method->step(any_x, [](auto const& at, auto& gradient, Pass pass) {
                auto const values = test::flat(at);
                std::vector<double> point(values.begin() + 5, values.end()), g(7);
                const double loss = Valley{}(point, g, pass);
                std::size_t block = 0;
                for_each_block(gradient, [&](double* data, std::size_t size) {
                    for (std::size_t i = 0; i < size; ++i) {
                        data[i] = block == 0 ? std::numeric_limits<double>::quiet_NaN() : g[i];
                    }
                    ++block;
                });
                CHECK(std::vector<double>(values.begin(), values.begin() + 5) ==
                      std::vector<double>(5));
                return loss;
            });
            alone->step(any_y, Valley{});
        }
        CHECK(x["a"] == before);
        // A dynamic mask, and what is drawn, counts its coordinates over all blocks.
        if (method.traits().reads_places) continue;
        for (std::size_t i = 0; i < 7; ++i) CHECK(x["b"][i] == Approx(y["b"][i]).epsilon(1e-12));
    }
}

TEST_CASE("a group may be frozen and thawed between steps", "[groups]") {
    BSAM optimizer{Adam{.learning_rate = 0.01}, {.rho = 0.1}};
    optimizer.set_groups({{.name = "head", .blocks = {"l2.*"}, .frozen = true}});
    Net x = net();
    const Net start = x;
    for (int t = 0; t < 3; ++t) optimizer.step(x, Valley{});
    CHECK(x.at("l2.weight") == start.at("l2.weight"));
    optimizer.group("head").frozen = false;
    const Net thawed = x;
    optimizer.step(x, Valley{});
    // The first step of Adam in this group: one learning rate in the direction of the gradient.
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(std::abs(x.at("l2.weight")[i] - thawed.at("l2.weight")[i]) ==
              Approx(0.01).epsilon(1e-4));
    }
}

TEST_CASE("the base optimizer's steps follow a block through all changes of groups", "[groups]") {
    for (int seed = 0; seed < 40; ++seed) {
        CAPTURE(seed);
        std::map<std::string, std::vector<double>> x{
            {"a", {0}}, {"b", {0}}, {"c", {0}}, {"d", {0}}};
        std::map<std::string, int> expected{{"a", 0}, {"b", 0}, {"c", 0}, {"d", 0}};
        Plain optimizer{Adam{.learning_rate = 1, .beta1 = 0, .beta2 = 0.5}};
        std::uint32_t random = 12345u + static_cast<std::uint32_t>(seed);
        auto const draw = [&](std::uint32_t n) {
            random = random * 1664525u + 1013904223u;
            return (random >> 16) % n;
        };
        for (int t = 0; t < 12; ++t) {
            std::vector<Group> groups{{.name = "p" + std::to_string(t), .frozen = draw(2) == 0},
                                      {.name = "q", .learning_rate = 2., .frozen = draw(2) == 0}};
            std::map<std::string, bool> frozen;
            for (auto const& [name, count] : expected) {
                auto const k = draw(3);
                if (k < 2) groups[k].blocks.push_back(name);
                frozen[name] = k < 2 && groups[k].frozen;
            }
            if (draw(3) > 0 || t == 0) {
                optimizer.set_groups(groups);
            } else {
                optimizer.group("q").blocks.clear();  // a change without set_groups
                auto const& kept = optimizer.groups()[0];
                for (auto& [name, is] : frozen) {
                    is = kept.frozen && std::find(kept.blocks.begin(), kept.blocks.end(), name) !=
                                            kept.blocks.end();
                }
            }
            for (int k = 0; k < 2; ++k) {
                optimizer.step(x, [](auto const&, auto& g) {
                    for (auto& [name, values] : g) values = {1};
                    return 1.0;
                });
                for (auto& [name, count] : expected) count += frozen[name] ? 0 : 1;
            }
            auto copy = optimizer;
            copy.visit_state([&]<class V>(std::string_view name, V&& value) {
                if constexpr (std::is_same_v<std::remove_cvref_t<V>, std::span<std::uint64_t>>) {
                    REQUIRE(name == "base_steps");
                    std::vector<std::uint64_t> wanted;
                    for (auto const& [block, count] : expected)
                        wanted.push_back(static_cast<std::uint64_t>(count));
                    CHECK(std::vector<std::uint64_t>(value.begin(), value.end()) == wanted);
                }
            });
        }
    }
}

TEST_CASE("a block that was frozen begins at step 1 of the base optimizer, however it is set free",
          "[groups]") {
    for (int how = 0; how < 4; ++how) {
        CAPTURE(how);
        std::map<std::string, std::vector<double>> x{{"a", {1}}, {"b", {2}}};
        Plain optimizer{Adam{.learning_rate = 0.1}};
        optimizer.set_groups({{.name = "late", .blocks = {"b"}, .frozen = true}});
        auto const closure = [](auto const&, auto& g) {
            g.at("a") = g.at("b") = {1};
            return 1.0;
        };
        for (int t = 0; t < 1000; ++t) optimizer.step(x, closure);
        const double start = x["b"][0];
        if (how == 0) optimizer.group("late").frozen = false;
        if (how == 1) optimizer.set_groups({});
        if (how == 2) optimizer.set_groups({{.name = "all", .blocks = {"*"}}});
        if (how == 3) optimizer.group("late").blocks.clear();
        for (int t = 0; t < 10; ++t) optimizer.step(x, closure);
        CHECK(start - x["b"][0] == Approx(1).epsilon(1e-5));
    }
}

TEST_CASE("groups that do not fit are refused with what there is", "[groups]") {
    Plain optimizer{sgd};
    Net x = net();
    optimizer.set_groups({{.name = "biases", .blocks = {"*.offset"}}});
    CHECK_THROWS_WITH(optimizer.step(x, Valley{}),
                      "polder: group 'biases': no block is named '*.offset'; known: 'l1.bias', "
                      "'l1.weight', 'l2.weight'");
    optimizer.set_groups({{.name = "a", .blocks = {"l1.*"}}, {.name = "b", .blocks = {"*.bias"}}});
    CHECK_THROWS_WITH(optimizer.step(x, Valley{}),
                      "polder: block 'l1.bias' is in the groups 'a' and 'b'");
    CHECK_THROWS_WITH(optimizer.group("c"), "polder: unknown group 'c'; known: 'a', 'b'");
    CHECK_THROWS_WITH(optimizer.set_groups({{.name = "a"}, {.name = "a"}}),
                      "polder: two groups are named 'a'");
    CHECK_THROWS_WITH(optimizer.set_groups({{.name = "a", .learning_rate = -1}}),
                      "polder: group 'a': learning_rate = -1 is out of range; expected a finite "
                      "number >= 0");
}
