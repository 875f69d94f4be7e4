#include "support/catch.hpp"

#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include <polder/polder.hpp>

#include "support/methods.hpp"
#include "support/valley.hpp"

using namespace polder;
using polder::test::same_bits;
using polder::test::state_bytes;
using polder::test::Valley;

namespace {

// State as a checkpoint would keep it.
struct Saved {
    std::map<std::string, std::vector<double>> arrays;
    std::map<std::string, std::uint64_t> counters;
};

template <class Optimizer>
Saved save(Optimizer& optimizer) {
    Saved saved;
    optimizer.visit_state([&](std::string_view name, auto&& value) {
        if constexpr (requires { value.data(); }) {
            saved.arrays[std::string(name)].assign(value.begin(), value.end());
        } else {
            saved.counters[std::string(name)] = value;
        }
    });
    return saved;
}

template <class Optimizer>
void load(Saved const& saved, Optimizer& optimizer) {
    optimizer.visit_state([&](std::string_view name, auto&& value) {
        if constexpr (requires { value.data(); }) {
            auto const& from = saved.arrays.at(std::string(name));
            REQUIRE(from.size() == value.size());
            std::copy(from.begin(), from.end(), value.begin());
        } else {
            value = saved.counters.at(std::string(name));
        }
    });
}

}  // namespace

TEST_CASE("a fresh optimizer with loaded state goes on bit for bit", "[state]") {
    const auto check = [](char const* name, auto const& fresh) {
        auto optimizer = fresh;
        std::vector<double> x(40);
        test::set_start(x);
        for (int t = 0; t < 20; ++t) optimizer.step(x, Valley{});
        const auto saved = save(optimizer);
        auto resumed = fresh;
        auto y = x;
        resumed.bind(y);
        load(saved, resumed);
        for (int t = 0; t < 20; ++t) {
            optimizer.step(x, Valley{});
            resumed.step(y, Valley{});
        }
        CAPTURE(name);
        CHECK(same_bits(x, y));
        CHECK(state_bytes(optimizer) == state_bytes(resumed));
    };
    check("plain", Plain{Adam{.amsgrad = true}});
    check("momentum", Plain{SGD{.learning_rate = 0.1, .momentum = 0.9, .dampening = 0.5}});
    test::for_each_method(Adam{.learning_rate = 0.01}, {.rho = 0.1}, check);
}

TEST_CASE("state has the arrays of its policies and no more", "[state]") {
    const auto names = [](auto optimizer) {
        std::vector<float> x(3);
        optimizer.bind(x);
        std::string list;
        optimizer.visit_state(
            [&](std::string_view name, auto&&) { list += std::string(name) + " "; });
        return list;
    };
    CHECK(names(Plain{SGD{}}) == "steps skipped_steps ");
    CHECK(names(Plain{SGD{.momentum = 0.5}}) == "momentum_buffer steps skipped_steps ");
    CHECK(names(SAM{Adam{}}) == "exp_avg exp_avg_sq steps skipped_steps ");
    CHECK(names(BSAM{Adam{.amsgrad = true}}) ==
          "exp_avg exp_avg_sq max_exp_avg_sq reference steps skipped_steps ");
    CHECK(names(BSAM{SGD{}, {}, NoDistance{}}) == "steps skipped_steps ");
}

TEST_CASE("a copy of an optimizer goes on by itself", "[state]") {
    std::vector<double> x(10), y;
    test::set_start(x);
    BSAM optimizer{Adam{.learning_rate = 0.05}};
    optimizer.step(x, Valley{});
    auto copy = optimizer;
    y = x;
    for (int t = 0; t < 5; ++t) optimizer.step(x, Valley{});
    for (int t = 0; t < 5; ++t) copy.step(y, Valley{});
    CHECK(same_bits(x, y));
}

TEST_CASE("a step goes on in another container of the same blocks", "[state]") {
    std::vector<double> x(10);
    test::set_start(x);
    auto y = x;
    BSAM one{Adam{}}, other{Adam{}};
    for (int t = 0; t < 4; ++t) {
        one.step(x, Valley{});
        if (t < 2) {
            other.step(y, Valley{});
        } else {
            other.step(std::span(y), Valley{});
        }
    }
    CHECK(same_bits(x, y));
}
