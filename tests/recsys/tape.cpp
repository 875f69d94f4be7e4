#include "recsys/tape/tape.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <polder/blocks/arena.hpp>

#include "recsys/finite_differences.hpp"
#include "recsys/random.hpp"
#include "recsys/tape/eigen_backend.hpp"
#include "recsys/tape/operations.hpp"
#include "support/catch.hpp"
#include "support/count_allocations.hpp"

namespace {

using namespace polder::recsys;
using polder::MatrixView;
using polder::ParameterArena;

using namespace polder::recsys::test;

}  // namespace

TEST_CASE("a gradient by hand: half the norm of two rows of x", "[recsys][tape]") {
    ParameterArena<float> x;
    x.add("x", 3, 2);
    std::copy_n(std::vector<float>{9, 9, 0, 3, 4, 0}.begin(), 6, x.begin());
    auto gradient = x;
    const std::vector<std::int32_t> batch = {2, 1};

    TestTape<float> tape;
    auto const value = tape.parameter(std::as_const(x)["x"], gradient["x"]);
    auto const loss = 0.5f * frobenius_norm(gather(value, batch));
    tape.backward(loss);

    CHECK(loss.scalar() == 2.5f);
    CHECK(std::vector<float>(gradient.begin(), gradient.end()) ==
          std::vector<float>{0, 0, 0, 0.3f, 0.4f, 0});
}

TEST_CASE("propagate has the derivative of a sparse product", "[recsys][tape]") {
    // Widths around those that the product treats in one piece.
    for (const std::size_t cols : {1U, 3U, 16U, 17U, 64U, 80U, 83U}) {
        auto const a = random_sparse<double>(6, 5, 0.5, 1);
        auto const at = transpose(a);
        auto const weights = random_matrix<double>(6, cols, 2);
        check_gradient(random_parameters({{5, cols}}, 3), [&](auto const& x) {
            return weighted_sum(propagate(a, at, x[0]), weights);
        });
    }
}

TEST_CASE("propagate computes each row of the product", "[recsys][tape]") {
    auto const a = random_sparse<double>(7, 9, 0.4, 1);
    auto const x = random_matrix<double>(9, 67, 2);
    TestTape<double> tape;
    auto const y = propagate(a, transpose(a), tape.constant(x)).value();
    for (std::size_t row = 0; row < 7; ++row) {
        for (std::size_t col = 0; col < 67; ++col) {
            double expected = 0;
            for (std::size_t k = a.offsets[row]; k < a.offsets[row + 1]; ++k)
                expected +=
                    a.values[k] * x.values[static_cast<std::size_t>(a.columns[k]) * 67 + col];
            REQUIRE(y(row, col) == Approx(expected).margin(1e-14));
        }
    }
}

TEST_CASE("two propagations, a mean and a gather have the chain's derivative", "[recsys][tape]") {
    auto const a = random_sparse<double>(6, 6, 0.5, 1);
    auto const at = transpose(a);
    const std::vector<std::int32_t> index = {4, 1, 4};
    auto const weights = random_matrix<double>(3, 5, 2);
    RowSet rows;
    rows.assign(6, {index});
    auto const x = random_parameters({{6, 5}}, 3);

    auto const chain = [&](TestValue<double> x0, Rows needed) {
        auto const x1 = propagate(a, at, x0);
        auto const x2 = propagate(a, at, x1, needed);
        return weighted_sum(gather(mean<TestBackend<double>>({x0, x1, x2}, needed), index),
                            weights);
    };
    check_gradient(x, [&](auto const& v) { return chain(v[0], Rows::all()); });
    check_gradient(x, [&](auto const& v) { return chain(v[0], rows); });

    // A second use of x0, whose gradient reaches it before and after the chain's.
    check_gradient(x, [&](auto const& v) { return frobenius_norm(v[0]) + chain(v[0], rows); });
    check_gradient(x, [&](auto const& v) { return chain(v[0], rows) + frobenius_norm(v[0]); });
}

TEST_CASE("restricting values to the rows in use changes no bit of a gradient", "[recsys][tape]") {
    auto const a = random_sparse<float>(40, 40, 0.2, 1);
    auto const at = transpose(a);
    const std::vector<std::int32_t> index = {4, 17, 4, 39};
    RowSet rows;
    rows.assign(40, {index});
    auto const x = random_matrix<float>(40, 24, 3);

    auto const gradient = [&](Rows needed) {
        Matrix<float> result{40, 24};
        TestTape<float> tape;
        auto const x0 = tape.parameter(x, {result.values.data(), 40, 24});
        auto const x1 = propagate(a, at, x0);
        auto const x2 = propagate(a, at, x1, needed);
        tape.backward(
            frobenius_norm(gather(mean<TestBackend<float>>({x0, x1, x2}, needed), index)));
        return result.values;
    };
    CHECK(gradient(rows) == gradient(Rows::all()));
}

TEST_CASE("gather adds the gradients of repeated rows", "[recsys][tape]") {
    const std::vector<std::int32_t> index = {3, 0, 3, 3, 1};
    auto const weights = random_matrix<double>(5, 4, 2);
    check_gradient(random_parameters({{5, 4}}, 3),
                   [&](auto const& x) { return weighted_sum(gather(x[0], index), weights); });
}

TEST_CASE("scatter adds what has the same place", "[recsys][tape]") {
    const std::vector<std::int32_t> index = {3, 0, 3, 3, 1};
    auto const weights = random_matrix<double>(6, 4, 2);
    check_gradient(random_parameters({{5, 4}}, 3),
                   [&](auto const& x) { return weighted_sum(scatter(x[0], index, 6), weights); });

    TestTape<double> tape;
    const Matrix<double> x{5, 1, {1, 2, 4, 8, 16}};
    auto const y = scatter(tape.constant(x), index, 5).value();
    CHECK(std::vector<double>(y.data, y.data + 5) == std::vector<double>{2, 16, 0, 13, 0});
}

TEST_CASE("mean has the derivative of a mean, also where an operand repeats", "[recsys][tape]") {
    auto const weights = random_matrix<double>(3, 4, 2);
    check_gradient(random_parameters({{3, 4}, {3, 4}}, 3), [&](auto const& x) {
        return weighted_sum(mean<TestBackend<double>>({x[0], x[1], x[0]}), weights);
    });
}

TEST_CASE("row_dot has the derivative of row-wise products", "[recsys][tape]") {
    for (const std::size_t cols : {1U, 7U, 8U, 19U}) {
        auto const weights = random_matrix<double>(4, 1, 2);
        check_gradient(random_parameters({{4, cols}, {4, cols}}, 3),
                       [&](auto const& x) { return weighted_sum(row_dot(x[0], x[1]), weights); });
        check_gradient(random_parameters({{4, cols}}, 3),
                       [&](auto const& x) { return weighted_sum(row_dot(x[0], x[0]), weights); });
    }
}

TEST_CASE("bpr_loss has the derivative of its formula", "[recsys][tape]") {
    check_gradient(random_parameters({{9, 1}, {9, 1}}, 3),
                   [&](auto const& x) { return bpr_loss(x[0], x[1]); });
}

TEST_CASE("bpr_loss saturates where scores are far apart", "[recsys][tape]") {
    ParameterArena<double> scores;
    scores.add("positive", 2, 1);
    scores.add("negative", 2, 1);
    std::copy_n(std::vector<double>{-500, 800, 500, -800}.begin(), 4, scores.begin());
    auto gradient = scores;
    TestTape<double> tape;
    auto const loss =
        bpr_loss(tape.parameter(std::as_const(scores)["positive"], gradient["positive"]),
                 tape.parameter(std::as_const(scores)["negative"], gradient["negative"]));
    tape.backward(loss);
    CHECK(loss.scalar() == Approx(-std::log(1e-10) / 2).epsilon(1e-9));
    for (const double value : gradient) CHECK(value == 0);
}

TEST_CASE("frobenius_norm has the derivative of a norm, and 0 at 0", "[recsys][tape]") {
    check_gradient(random_parameters({{3, 5}}, 3),
                   [&](auto const& x) { return frobenius_norm(x[0]); });

    const Matrix<double> zero{3, 5};
    Matrix<double> gradient{3, 5};
    TestTape<double> tape;
    tape.backward(frobenius_norm(tape.parameter(zero, {gradient.values.data(), 3, 5})));
    CHECK(gradient.values == zero.values);
}

TEST_CASE("sums and weighted values have their derivatives", "[recsys][tape]") {
    auto const weights = random_matrix<double>(3, 4, 2);
    check_gradient(random_parameters({{3, 4}, {3, 4}}, 3), [&](auto const& x) {
        return weighted_sum(0.3 * x[0] + -2.0 * (x[1] + x[0]), weights);
    });
}

TEST_CASE("backward overwrites the gradient of every parameter", "[recsys][tape]") {
    auto x = random_parameters({{4, 3}, {2, 2}}, 1);
    auto gradient = x;
    std::fill(gradient.begin(), gradient.end(), std::numeric_limits<double>::quiet_NaN());
    const std::vector<std::int32_t> index = {1};
    TestTape<double> tape;
    auto const used = tape.parameter(std::as_const(x)["x0"], gradient["x0"]);
    tape.parameter(std::as_const(x)["x1"], gradient["x1"]);
    tape.backward(frobenius_norm(gather(used, index)));
    for (std::size_t k = 0; k < gradient.size(); ++k) {
        INFO("coordinate " << k);
        CHECK(std::isfinite(gradient.data()[k]));
        CHECK((gradient.data()[k] != 0) == (k >= 3 && k < 6));
    }
}

TEST_CASE("values and gradients are the same bit for bit on 1, 2 and 7 threads",
          "[recsys][tape][threads]") {
    const std::size_t rows = 700, cols = 83;
    auto const a = random_sparse<float>(rows, rows, 0.05, 1);
    auto const at = transpose(a);
    auto const x = random_matrix<float>(rows, cols, 2);
    std::vector<std::int32_t> users, items;
    Random random(3);
    for (int b = 0; b < 600; ++b) {
        users.push_back(static_cast<std::int32_t>(random.uniform_index(rows)));
        items.push_back(static_cast<std::int32_t>(random.uniform_index(rows / 10)));
    }
    RowSet batch;
    batch.assign(rows, {users, items});

    auto const run = [&](int threads) {
        Matrix<float> gradient{rows, cols};
        Tape<EigenBackend<float>> tape{EigenBackend<float>(threads, 0)};
        auto const x0 = tape.parameter(x, {gradient.values.data(), rows, cols});
        auto const x1 = propagate(a, at, x0);
        auto const x2 = propagate(a, at, x1, batch);
        auto const e = mean<EigenBackend<float>>({x0, x1, x2}, batch);
        auto const u = gather(e, users), i = gather(e, items);
        auto const loss = bpr_loss(row_dot(u, i), row_dot(i, i)) +
                          0.01f * (frobenius_norm(x0) + frobenius_norm(u + 2.0f * i));
        tape.backward(loss);
        gradient.values.push_back(loss.scalar());
        return gradient.values;
    };
    auto const expected = run(1);
    CHECK(run(2) == expected);
    CHECK(run(7) == expected);
}

TEST_CASE("a tape that has run once runs again without allocating", "[recsys][tape]") {
    auto const a = random_sparse<float>(50, 50, 0.2, 1);
    auto const at = transpose(a);
    auto const x = random_matrix<float>(50, 20, 2);
    Matrix<float> gradient{50, 20};
    const std::vector<std::int32_t> index = {4, 17, 4, 39}, shorter = {3};
    RowSet rows;
    Tape<EigenBackend<float>> tape;
    std::vector<Value<EigenBackend<float>>> layers;
    auto const step = [&](std::vector<std::int32_t> const& batch) {
        tape.reset();
        rows.assign(50, {batch});
        layers.clear();
        layers.push_back(tape.parameter(x, {gradient.values.data(), 50, 20}));
        layers.push_back(propagate(a, at, layers.back()));
        layers.push_back(propagate(a, at, layers.back(), rows));
        auto const e = gather(mean(layers, rows), batch);
        tape.backward(bpr_loss(row_dot(e, e), row_dot(e, 2.0f * e)) + frobenius_norm(e));
    };
    step(index);
    const std::size_t before = allocations();
    step(shorter);
    step(index);
    CHECK(allocations() == before);
}

TEST_CASE("operands that do not fit are refused with their shapes", "[recsys][tape]") {
    auto const x = random_matrix<double>(3, 4, 1), y = random_matrix<double>(3, 5, 1);
    auto const a = random_sparse<double>(4, 3, 0.5, 1);
    auto const at = transpose(a);
    Matrix<double> gradient{3, 5};
    TestTape<double> tape;
    auto const vx = tape.constant(x), vy = tape.constant(y);
    auto const message = [](auto const& f) {
        try {
            f();
        } catch (std::invalid_argument const& error) {
            return std::string(error.what());
        }
        return std::string("nothing was thrown");
    };
    CHECK(message([&] { row_dot(vx, vy); }) ==
          "tape: row_dot of 3 x 4 and 3 x 5, expected equal shapes");
    CHECK(message([&] { vx + vy; }) == "tape: sum of 3 x 4 and 3 x 5, expected equal shapes");
    CHECK(message([&] { propagate(at, a, vx); }) == "tape: propagate of 3 x 4, expected 4 rows");
    CHECK(message([&] {
              mean<TestBackend<double>>({vx, vy});
          }) == "tape: sum of values of different shapes or rows");
    CHECK(message([&] {
              tape.parameter(x, {gradient.values.data(), 3, 5});
          }) == "tape: a parameter and its gradient differ in shape");

    RowSet rows;
    const std::vector<std::int32_t> index = {1};
    rows.assign(4, {index});
    auto const partial = propagate(a, at, vx, rows);
    CHECK(message([&] { frobenius_norm(partial); }) ==
          "tape: frobenius_norm of 4 x 4, of which some rows were not computed");
}
