/// The problem of the theorems about batches, with the constants of their assumptions.
#pragma once

#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

using Vector = std::vector<double>;

/// The loss L_S(x) is the mean of log(1 + exp(-y a'x)) over the points a, all of length 1, with labels y = +1 or -1
/// of which a fifth are wrong; L_B is the mean over a batch. For every x, and for every batch:
///
///     smoothness           beta = 1/4: no second derivative of log(1 + exp(z)) is larger, and |a| = 1
///     bounded variance     M = 1 / (size of a batch), since no gradient of a point is longer than |a| = 1
///     bounded gradient     G = 1
class LogisticRegression {
public:
    static constexpr std::size_t dimension = 3, count = 200, batch_size = 4;
    static constexpr double beta = 0.25, M = 1.0 / batch_size, G = 1;

    LogisticRegression() {
        std::mt19937 random(1);
        std::normal_distribution<double> normal;
        std::bernoulli_distribution mistake(0.2);
        for (std::size_t point = 0; point < count; ++point) {
            Vector a(dimension);
            double squares = 0;
            for (double& value : a) {
                value = normal(random);
                squares += value * value;
            }
            for (double& value : a) value /= std::sqrt(squares);
            // The true plane is a_0 = 0. The label is a factor of the point: only y a matters.
            double const label = (a[0] > 0) != mistake(random) ? 1 : -1;
            for (double& value : a) value *= label;
            points_.push_back(a);
        }
    }

    /// The numbers of a batch's points, drawn with replacement.
    static std::vector<std::size_t> draw(std::mt19937& random) {
        std::uniform_int_distribution<std::size_t> any(0, count - 1);
        std::vector<std::size_t> batch(batch_size);
        for (std::size_t& point : batch) point = any(random);
        return batch;
    }

    /// L_B and its gradient at x.
    double loss(std::vector<std::size_t> const& batch, Vector const& x, Vector& gradient) const {
        gradient.assign(dimension, 0);
        double total = 0;
        for (std::size_t const point : batch) total += add(points_[point], x, gradient);
        return mean(total, gradient, batch.size());
    }
    /// L_S and its gradient at x.
    double loss(Vector const& x, Vector& gradient) const {
        gradient.assign(dimension, 0);
        double total = 0;
        for (Vector const& a : points_) total += add(a, x, gradient);
        return mean(total, gradient, count);
    }

private:
    static double add(Vector const& a, Vector const& x, Vector& gradient) {
        double margin = 0;
        for (std::size_t k = 0; k < dimension; ++k) margin += a[k] * x[k];
        double const grown = std::exp(-margin), slope = grown / (1 + grown);
        for (std::size_t k = 0; k < dimension; ++k) gradient[k] -= slope * a[k];
        return std::log1p(grown);
    }
    static double mean(double total, Vector& gradient, std::size_t of) {
        for (double& value : gradient) value /= static_cast<double>(of);
        return total / static_cast<double>(of);
    }

    std::vector<Vector> points_;
};

/// The squared length of a.
inline double square(Vector const& a) {
    double sum = 0;
    for (double const value : a) sum += value * value;
    return sum;
}
