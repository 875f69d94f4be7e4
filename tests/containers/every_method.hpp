// Every method gives the same bits on every container.
#pragma once

#include <cstddef>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <polder/polder.hpp>

#include "support/any_container.hpp"
#include "support/any_method.hpp"
#include "support/catch.hpp"
#include "support/valley.hpp"

namespace polder::test {

/// What a few steps left behind: the parameters, then numbers of the last report.
template <class T>
struct Trace {
    std::vector<T> parameters;
    std::vector<double> report;

    friend bool operator==(Trace const& a, Trace const& b) {
        return same_bits(a.parameters, b.parameters) && same_bits(a.report, b.report);
    }
};

/// Takes a few steps from the start that all containers share. step(x): one step.
template <class C, class Step>
Trace<scalar_t<C>> trace(C& x, Step const& step) {
    constexpr int steps = 4;
    set_start(x);
    Report report;
    for (int t = 0; t < steps; ++t) report = step(x);
    return {flat(x),
            {report.loss, report.perturbed_loss, report.gradient_norm, report.perturbation_norm}};
}

template <class T, class C>
Trace<T> trace_any(AnyMethod<T> method, C& container) {
    auto x = AnyContainer<T>::of(container);
    return trace(x, [&](AnyContainer<T>& at) { return method->step(at, Valley{}); });
}

/// Runs every method on the blocks of `x`, and one on `x` as a user would.
template <class C>
void check_every_method(C& x) {
    using T = scalar_t<C>;
    std::vector<T> vector(flat(x).size());
    auto same_blocks = PlainBlocks<T>::like(x);
    for (auto const& method : all_methods<T>({.rho = 0.1}, true)) {
        CAPTURE(method.name());
        auto const expected = method.traits().reads_blocks ? trace_any<T>(method, same_blocks)
                                                           : trace_any<T>(method, vector);
        const bool same = trace_any<T>(method, x) == expected;
        CHECK(same);
    }
    auto const typed = [](auto& at) {
        BSAMPlus optimizer{Adam{.learning_rate = 0.05}, {.rho = 0.1}};
        return trace(at, [&](auto& c) { return optimizer.step(c, Valley{}); });
    };
    const bool same = typed(x) == typed(vector);
    CHECK(same);
}

}  // namespace polder::test
