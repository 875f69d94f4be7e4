// Operations of the tape checked against central finite differences.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <polder/blocks/arena.hpp>

#include "recsys/random.hpp"
#include "recsys/tape/eigen_backend.hpp"
#include "recsys/tape/operations.hpp"
#include "support/catch.hpp"

#if defined(POLDER_TEST_ON_THRUST)
#include <polder/device/thrust_system.hpp>

#include "recsys/tape/device_backend.hpp"
#endif

namespace polder::recsys::test {

// The back end under test. That for devices finds in this processor's memory all that it is given.
#if defined(POLDER_TEST_ON_THRUST)
template <class T>
using TestBackend = DeviceBackend<T, ThrustCpp>;
#else
template <class T>
using TestBackend = EigenBackend<T>;
#endif
template <class T>
using TestTape = Tape<TestBackend<T>>;
template <class T>
using TestValue = Value<TestBackend<T>>;

template <class T>
struct Matrix {
    std::size_t rows, cols;
    std::vector<T> values = std::vector<T>(rows * cols);

    operator MatrixView<T const>() const { return {values.data(), rows, cols}; }
};

template <class T>
Matrix<T> random_matrix(std::size_t rows, std::size_t cols, std::uint64_t seed) {
    Matrix<T> result{rows, cols};
    Random random(seed, "matrix", rows, cols);
    for (auto& value : result.values) value = static_cast<T>(random.normal());
    return result;
}

// About `density` of all entries; the first row and the last column stay empty.
template <class T>
Csr<T> random_sparse(std::size_t rows, std::size_t cols, double density, std::uint64_t seed) {
    Csr<T> result{rows, cols, {0}, {}, {}};
    Random random(seed, "sparse", rows, cols);
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t col = 0; col + 1 < cols; ++col) {
            if (row > 0 && random.uniform() < density) {
                result.columns.push_back(static_cast<std::int32_t>(col));
                result.values.push_back(static_cast<T>(random.normal()));
            }
        }
        result.offsets.push_back(result.columns.size());
    }
    return result;
}

// sum_bj W_bj Y_bj, to make a scalar of any value: an operation as a user of the tape adds one.
template <class T>
TestValue<T> weighted_sum(TestValue<T> y, Matrix<T> const& weights) {
    auto& tape = y.tape();
    auto const result = tape.make({y}, 1, 1);
    MatrixView<T const> w = weights;
    tape.backend().sum([](T yi, T wi) { return yi * wi; }, result.result(), y.value(), w);
    return tape.on_backward(result, [y, result, w] {
        y.tape().backend().map([](T& dy, T dl, T wi) { dy += dl * wi; }, y.gradient_sum(),
                               single(result.gradient()), w);
    });
}

inline ParameterArena<double>
random_parameters(std::vector<std::pair<std::size_t, std::size_t>> const& shapes,
                  std::uint64_t seed) {
    ParameterArena<double> arena;
    for (auto const& [rows, cols] : shapes)
        arena.add(std::string("x").append(std::to_string(arena.entries().size())), rows, cols);
    Random random(seed, "parameters");
    for (auto& value : arena) value = random.normal();
    return arena;
}

// Compares the tape's gradient of f(values) by all parameters with central differences, whose error
// is of the order of step^2 and rounding / step.
template <class F>
void check_gradient(ParameterArena<double> x, F const& f, double tolerance = 1e-8) {
    ParameterArena<double> gradient = x, scratch = x;
    std::fill(gradient.begin(), gradient.end(), std::numeric_limits<double>::quiet_NaN());
    TestTape<double> tape(TestBackend<double>(1));
    auto const evaluate = [&](ParameterArena<double>& into) {
        tape.reset();
        std::vector<TestValue<double>> values;
        for (auto const& entry : x.entries())
            values.push_back(tape.parameter(std::as_const(x).view(entry), into.view(entry)));
        auto const loss = f(values);
        tape.backward(loss);
        return loss.scalar();
    };
    evaluate(gradient);

    const double step = 1e-5;
    double largest = 0;
    for (const double value : gradient) largest = std::max(largest, std::abs(value));
    for (std::size_t k = 0; k < x.size(); ++k) {
        const double at = x.data()[k];
        x.data()[k] = at + step;
        const double above = evaluate(scratch);
        x.data()[k] = at - step;
        const double below = evaluate(scratch);
        x.data()[k] = at;
        INFO("coordinate " << k);
        REQUIRE(gradient.data()[k] ==
                Approx((above - below) / (2 * step)).margin(tolerance * std::max(1.0, largest)));
    }
}

}  // namespace polder::recsys::test
