/// Initial values of parameters: each writes a matrix with the random numbers that it is given.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <polder/blocks/arena.hpp>

#include "recsys/random.hpp"

namespace polder::recsys {

/// Uniform in [-a, a), a = sqrt(6 / (rows + cols)).
/// Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks, 2010.
struct XavierUniform {
    template <class T>
    void operator()(MatrixView<T> x, Random random) const {
        double const bound = std::sqrt(6.0 / static_cast<double>(x.rows + x.cols));
        for (std::size_t k = 0; k < x.size(); ++k)
            x.data[k] = static_cast<T>(random.uniform(-bound, bound));
    }
};
inline constexpr XavierUniform xavier_uniform{};

/// Normal with mean 0 and variance 2 / (rows + cols). Same source.
struct XavierNormal {
    template <class T>
    void operator()(MatrixView<T> x, Random random) const {
        double const deviation = std::sqrt(2.0 / static_cast<double>(x.rows + x.cols));
        for (std::size_t k = 0; k < x.size(); ++k)
            x.data[k] = static_cast<T>(deviation * random.normal());
    }
};
inline constexpr XavierNormal xavier_normal{};

/// Normal with mean 0 and this deviation, without what is more than two deviations away, as TensorFlow
/// draws it.
struct TruncatedNormal {
    double deviation;

    template <class T>
    void operator()(MatrixView<T> x, Random random) const {
        for (std::size_t k = 0; k < x.size(); ++k)
            x.data[k] = static_cast<T>(deviation * random.truncated_normal());
    }
};

/// Uniform in [-b, b), b = 1 / sqrt(inputs): weights and biases of a layer, as PyTorch draws them.
struct LinearUniform {
    explicit LinearUniform(auto n) : inputs(static_cast<double>(n)) {}

    template <class T>
    void operator()(MatrixView<T> x, Random random) const {
        double const bound = 1 / std::sqrt(inputs);
        for (std::size_t k = 0; k < x.size(); ++k)
            x.data[k] = static_cast<T>(random.uniform(-bound, bound));
    }

    double inputs;
};

/// The same number everywhere.
struct Constant {
    double value;

    template <class T>
    void operator()(MatrixView<T> x, Random) const {
        std::fill_n(x.data, x.size(), static_cast<T>(value));
    }
};
inline constexpr Constant zeros{0};

/// A weight for each column in every row: softmax of N(0, 2 / (rows + cols)), about 1/cols each. They are
/// normalised here only, not in training.
struct ModalityWeights {
    template <class T>
    void operator()(MatrixView<T> weights, Random random) const {
        xavier_normal(weights, random);
        for (std::size_t row = 0; row < weights.rows; ++row) {
            T total = 0;
            for (std::size_t m = 0; m < weights.cols; ++m)
                total += weights(row, m) = std::exp(weights(row, m));
            for (std::size_t m = 0; m < weights.cols; ++m) weights(row, m) /= total;
        }
    }
};
inline constexpr ModalityWeights modality_weights{};

}  // namespace polder::recsys
