/// Initial values of parameters. They depend on the seed and the parameter's name alone.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <polder/blocks/arena.hpp>

#include "recsys/random.hpp"

namespace polder::recsys {

/// Uniform in [-a, a), a = sqrt(6 / (rows + cols)).
/// Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks, 2010.
template <class T>
void xavier_uniform(ParameterArena<T>& parameters, std::string_view name, std::uint64_t seed) {
    const auto matrix = parameters[name];
    const double bound = std::sqrt(6.0 / static_cast<double>(matrix.rows + matrix.cols));
    Random random(seed, "initial values", name);
    for (std::size_t k = 0; k < matrix.size(); ++k)
        matrix.data[k] = static_cast<T>(random.uniform(-bound, bound));
}

/// Normal with mean 0 and variance 2 / (rows + cols). Same source.
template <class T>
void xavier_normal(ParameterArena<T>& parameters, std::string_view name, std::uint64_t seed) {
    const auto matrix = parameters[name];
    const double deviation = std::sqrt(2.0 / static_cast<double>(matrix.rows + matrix.cols));
    Random random(seed, "initial values", name);
    for (std::size_t k = 0; k < matrix.size(); ++k)
        matrix.data[k] = static_cast<T>(deviation * random.normal());
}

/// Normal with mean 0 and this deviation, without what is more than two deviations away, as TensorFlow
/// draws it.
template <class T>
void truncated_normal(ParameterArena<T>& parameters, std::string_view name, double deviation,
                      std::uint64_t seed) {
    const auto matrix = parameters[name];
    Random random(seed, "initial values", name);
    for (std::size_t k = 0; k < matrix.size(); ++k)
        matrix.data[k] = static_cast<T>(deviation * random.truncated_normal());
}

/// 0 everywhere.
template <class T>
void zeros(ParameterArena<T>& parameters, std::string_view name) {
    const auto matrix = parameters[name];
    std::fill_n(matrix.data, matrix.size(), T(0));
}

/// Uniform in [-b, b), b = 1 / sqrt(inputs): weights and biases of a layer, as PyTorch draws them.
template <class T>
void linear_uniform(ParameterArena<T>& parameters, std::string_view name, std::size_t inputs,
                    std::uint64_t seed) {
    const auto matrix = parameters[name];
    const double bound = 1 / std::sqrt(static_cast<double>(inputs));
    Random random(seed, "initial values", name);
    for (std::size_t k = 0; k < matrix.size(); ++k)
        matrix.data[k] = static_cast<T>(random.uniform(-bound, bound));
}

}  // namespace polder::recsys
