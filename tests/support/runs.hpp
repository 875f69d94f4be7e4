/// Short runs of drawn methods, and what tests do with their parameters.
#pragma once

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include <polder/polder.hpp>

#include "support/any_method.hpp"
#include "support/cases.hpp"
#include "support/valley.hpp"

namespace polder::test {

inline constexpr int steps = 8;
inline constexpr int epoch = 4;  ///< steps of it

template <class T>
using Closure = typename AnyMethod<T>::ContainerClosure;

/// The parameters after 8 steps in 2 epochs. Optimizer: AnyMethod, or a class of the library.
template <class T, class Optimizer>
std::vector<T> run(Optimizer optimizer, Case const& drawn, Closure<T> const& closure = Valley{}) {
    auto x = drawn.parameters<T>();
    auto const go = [&](auto& method) {
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
std::vector<T> run(char const* name, Settings const& with, Case const& drawn) {
    return run<T>(one_method<T>(name, with), drawn);
}

/// The drawn settings with some of them changed.
template <class Change>
Settings changed(Case const& drawn, Change const& change) {
    Settings with = drawn.settings;
    change(with);
    return with;
}

/// Writes the values, counted through all blocks.
template <class T>
void assign(AnyContainer<T>& container, std::vector<T> const& values) {
    auto next = values.begin();
    for_each_block(container, [&](T* data, std::size_t size) {
        for (std::size_t i = 0; i < size; ++i) data[i] = *next++;
    });
}

/// Valley, its gradient times a weight.
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

inline std::vector<double> in_double(auto const& v) { return {v.begin(), v.end()}; }

inline double norm(std::vector<double> const& v) {
    double sum = 0;
    for (double value : v) sum += value * value;
    return std::sqrt(sum);
}

}  // namespace polder::test
