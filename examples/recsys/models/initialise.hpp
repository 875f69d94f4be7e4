/// Initial values of parameters. They depend on the seed and the parameter's name alone.
#pragma once

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

}  // namespace polder::recsys
