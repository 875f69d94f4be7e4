// Every method gives the same bits on every container.
#pragma once

#include <cstddef>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <polder/polder.hpp>

#include "support/catch.hpp"
#include "support/methods.hpp"
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

/// Takes a few steps from the start that all containers share.
template <class C, class Optimizer>
Trace<scalar_t<C>> trace(C& x, Optimizer optimizer) {
    constexpr int steps = 4;
    set_start(x);
    Report report;
    for (int t = 0; t < steps; ++t) report = optimizer.step(x, Valley{});
    return {flat(x),
            {report.loss, report.perturbed_loss, report.gradient_norm, report.perturbation_norm}};
}

template <class T, class F>
void for_each_method_with_adam(F const& f) {
    for_each_method(Adam{.learning_rate = 0.05}, {.rho = 0.1}, f);
}

/// The traces of every method on a std::vector<T> of `size` coordinates, by its name. T: float or double.
template <class T>
std::map<std::string, Trace<T>> const& vector_traces(std::size_t size);

/// Runs every method on `x`.
template <class C>
void check_every_method(C& x) {
    using T = scalar_t<C>;
    auto const& expected = vector_traces<T>(flat(x).size());
    std::size_t methods = 0;
    for_each_method_with_adam<T>([&](char const* name, auto const& optimizer) {
        CAPTURE(name);
        CHECK(trace(x, optimizer) == expected.at(name));
        ++methods;
    });
    CHECK(methods == expected.size());
}

}  // namespace polder::test
