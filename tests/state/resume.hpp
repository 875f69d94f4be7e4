// A run that is saved and continued by a fresh optimizer is the run without interruption, bit for bit.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <polder/polder.hpp>
#include <polder/state/state.hpp>

#include "support/catch.hpp"
#include "support/methods.hpp"
#include "support/temporary_directory.hpp"
#include "support/valley.hpp"

namespace polder::test {

template <class T, class Optimizer>
void check_resume(std::filesystem::path const& file, char const* name, Optimizer const& fresh) {
    using Parameters = std::map<std::string, std::vector<T>>;
    const auto run = [](Optimizer& optimizer, Parameters& x, int steps) {
        for (int t = 0; t < steps; ++t) optimizer.step(x, Valley{});
    };
    const Parameters zeros{{"bias", std::vector<T>(3)}, {"weight", std::vector<T>(38)}};
    auto whole = zeros;
    set_start(whole);
    auto begun = whole;
    auto optimizer = fresh, saved = fresh;
    run(optimizer, whole, 20);
    run(saved, begun, 13);
    save_checkpoint(file, saved, begun);

    auto resumed = fresh;
    auto x = zeros;
    load_checkpoint(file, resumed, x);
    INFO(name);
    CHECK(same_bits(flat(x), flat(begun)));
    CHECK(state_bytes(resumed) == state_bytes(saved));
    run(resumed, x, 7);
    CHECK(same_bits(flat(x), flat(whole)));
    CHECK(state_bytes(resumed) == state_bytes(optimizer));

    // Saving changed nothing, and loading into an optimizer that was used forgets what it had.
    run(saved, begun, 7);
    CHECK(same_bits(flat(begun), flat(whole)));
    load_checkpoint(file, optimizer, x);
    run(optimizer, x, 7);
    CHECK(same_bits(flat(x), flat(whole)));
    CHECK(state_bytes(resumed) == state_bytes(optimizer));
}

template <class T>
void check_resume_of_every_method() {
    const TemporaryDirectory folder;
    const auto check = [&](char const* name, auto const& optimizer) {
        check_resume<T>(folder / "run", name, optimizer);
    };
    for_each_method(Adam{.learning_rate = 0.01}, {.rho = 0.1}, check);
    check("Adam with amsgrad", Plain{Adam{.amsgrad = true}});
    check("AdamW", Plain{AdamW{.learning_rate = 0.01}});
    check("momentum", Plain{SGD{.learning_rate = 0.1, .momentum = 0.9, .dampening = 0.5}});
    check("RMSprop", Plain{RMSprop{.learning_rate = 0.01, .momentum = 0.9, .centered = true}});
    check("Adagrad", Plain{Adagrad{.learning_rate = 0.1, .initial_accumulator_value = 0.1}});
}

}  // namespace polder::test
