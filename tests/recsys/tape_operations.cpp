// Every operation of the tape has the gradient that finite differences show.
#include "recsys/finite_differences.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace polder::recsys;
using namespace polder::recsys::test;

using V = TestValue<double>;
using Operation = std::function<V(std::vector<V> const&)>;

// The gradient of a weighted sum of the operation's result, and again where the operands are used twice,
// so that gradients are added to and not overwritten.
void check(std::vector<std::pair<std::size_t, std::size_t>> const& shapes, Operation const& f) {
    auto const x = random_parameters(shapes, 7);
    Matrix<double> weights{1, 1};
    auto const with_weights = [&](auto const& values, std::size_t times) {
        const V y = f(values);
        weights = random_matrix<double>(y.rows(), y.cols(), 8);
        V total = weighted_sum(y, weights);
        for (std::size_t k = 1; k < times; ++k) total = total + weighted_sum(f(values), weights);
        return total;
    };
    check_gradient(x, [&](auto const& values) { return with_weights(values, 1); });
    check_gradient(x, [&](auto const& values) { return with_weights(values, 2); });
}

}  // namespace

TEST_CASE("entry-wise operations have their derivatives", "[recsys][tape]") {
    check({{3, 4}}, [](auto const& x) { return leaky_relu(x[0]); });
    check({{3, 4}}, [](auto const& x) { return leaky_relu(x[0], 0.2); });
    check({{3, 4}}, [](auto const& x) { return relu(x[0]); });
    check({{3, 4}}, [](auto const& x) { return sigmoid(x[0]); });
    check({{3, 4}}, [](auto const& x) { return absolute(x[0]); });
    check({{3, 4}}, [](auto const& x) { return -1.5 * x[0]; });
    check({{3, 4}}, [](auto const& x) { return 1.5 - x[0]; });
    check({{3, 4}, {3, 4}}, [](auto const& x) { return x[0] + x[1]; });
    check({{3, 4}, {3, 4}}, [](auto const& x) { return x[0] - x[1]; });
    check({{3, 4}, {3, 4}}, [](auto const& x) { return hadamard(x[0], x[1]); });
    check({{3, 4}, {3, 4}}, [](auto const& x) { return maximum(x[0], x[1]); });
    auto const c = random_matrix<double>(3, 4, 2);
    check({{3, 4}}, [&](auto const& x) { return add_signed(x[0], x[0].tape().constant(c)); });
    check({{3, 1}, {3, 4}}, [](auto const& x) { return scale_rows(x[0], x[1]); });
    check({{1, 1}, {3, 4}}, [](auto const& x) { return scale(x[0], x[1]); });
    check({{3, 4}}, [](auto const& x) {
        return apply(
            x[0], [](double v) { return std::tanh(v); },
            [](double, double y) { return 1 - y * y; });
    });
}

TEST_CASE("a stopped gradient is none", "[recsys][tape]") {
    auto const x = random_parameters({{2, 3}}, 1);
    auto gradient = x;
    TestTape<double> tape;
    auto const value = tape.parameter(x["x0"], gradient["x0"]);
    tape.backward(sum(hadamard(stop_gradient(value), value)));
    for (std::size_t k = 0; k < x.size(); ++k) CHECK(gradient.data()[k] == x.data()[k]);
}

TEST_CASE("dense products and layers have their derivatives", "[recsys][tape]") {
    constexpr auto plain = Form::plain, transposed = Form::transposed;
    check({{3, 4}, {4, 5}}, [](auto const& x) { return product(x[0], x[1]); });
    check({{3, 4}, {5, 4}}, [](auto const& x) { return product(x[0], plain, x[1], transposed); });
    check({{4, 3}, {4, 5}}, [](auto const& x) { return product(x[0], transposed, x[1], plain); });
    check({{4, 3}, {5, 4}},
          [](auto const& x) { return product(x[0], transposed, x[1], transposed); });
    check({{3, 4}, {5, 4}, {1, 5}}, [](auto const& x) { return linear(x[0], x[1], x[2]); });
    check({{3, 70}, {1, 70}}, [](auto const& x) { return add_row(x[0], x[1]); });
    check({{3, 2}, {3, 1}, {3, 4}}, [](auto const& x) {
        return concatenate_columns({x[0], x[1], x[2], x[0]});
    });
    check({{3, 5}}, [](auto const& x) { return slice_columns(x[0], 1, 3); });
    check({{3, 2}, {4, 2}}, [](auto const& x) { return concatenate_rows(x[0], x[1]); });
    check({{5, 2}}, [](auto const& x) { return slice_rows(x[0], 1, 3); });
}

TEST_CASE("products in tiles by several threads are those of one", "[recsys][tape][threads]") {
    auto const a = random_matrix<float>(300, 40, 1), b = random_matrix<float>(270, 40, 2);
    Matrix<float> one{300, 270}, many{300, 270};
    auto const into = [](Matrix<float>& m) {
        return polder::MatrixView<float>{m.values.data(), m.rows, m.cols};
    };
    EigenBackend<float>(1, 1).product(a, Form::plain, b, Form::transposed, into(one), false);
    EigenBackend<float>(3, 1).product(a, Form::plain, b, Form::transposed, into(many), false);
    CHECK(one.values == many.values);
}

TEST_CASE("reductions have their derivatives", "[recsys][tape]") {
    check({{3, 4}}, [](auto const& x) { return sum(x[0]); });
    check({{3, 4}}, [](auto const& x) { return sum(x[0], -0.3); });
    check({{3, 4}}, [](auto const& x) { return mean_of(x[0]); });
    check({{3, 4}}, [](auto const& x) { return sum_of_squares(x[0]); });
    check({{3, 4}}, [](auto const& x) { return mean_of_squares(x[0]); });
    check({{3, 4}}, [](auto const& x) { return frobenius_norm(x[0]); });
    check({{3, 4}}, [](auto const& x) { return variance(x[0], mean_of(x[0])); });
    check({{3, 4}, {2, 3}}, [](auto const& x) {  // about the mean of both
        const V m = sum(x[0], 1.0 / 18) + sum(x[1], 1.0 / 18);
        return sum_of_squares_about(m, x[0], 0.3) + sum_of_squares_about(m, x[1], 0.3);
    });
    check({{3, 4}, {3, 4}}, [](auto const& x) { return row_dot(x[0], x[1]); });
    check({{3, 4}, {3, 4}}, [](auto const& x) { return mean_cosine(x[0], x[1]); });
    check({{3, 4}}, [](auto const& x) { return normalise_rows(x[0]); });
    check({{3, 4}}, [](auto const& x) { return normalise_rows(x[0], 100.0); });
    check({{3, 4}}, [](auto const& x) { return inverse_row_norms(x[0]); });
    check({{3, 4}}, [](auto const& x) { return inverse_row_norms(x[0], 100.0); });
    check({{3, 4}, {3, 4}}, [](auto const& x) { return weight_by_cosine(x[0], x[1]); });
    check({{3, 4}, {3, 4}}, [](auto const& x) { return weight_by_cosine(x[0], x[1], 100.0); });
    check({{3, 4}, {3, 4}}, [](auto const& x) { return weight_by_cosine(0.01 * x[0], x[1], 0.1); });
    check({{3, 4}}, [](auto const& x) { return softmax_rows(x[0]); });
    check({{3, 4}}, [](auto const& x) { return softmax_rows(x[0], 0.2); });
}

TEST_CASE("losses have their derivatives", "[recsys][tape]") {
    check({{5, 1}, {5, 1}}, [](auto const& x) { return bpr_loss(x[0], x[1]); });
    check({{5, 1}, {5, 1}}, [](auto const& x) { return softplus_bpr_loss(x[0], x[1], 0.3); });
    check({{5, 3}, {5, 3}, {5, 3}}, [](auto const& x) { return ranking_loss(x[0], x[1], x[2]); });
    check({{5, 3}, {4, 2}}, [](auto const& x) { return embedding_loss({x[0], x[1]}); });
    // More rows than a tile has, and a key that is positive for several queries.
    const std::vector<std::int32_t> positive = {3, 0, 3, 69, 1};
    check({{5, 3}, {70, 3}},
          [&](auto const& x) { return info_nce(x[0], x[1], positive, 0.7, 0.2); });
    std::vector<std::int32_t> diagonal(70);
    std::iota(diagonal.begin(), diagonal.end(), 0);
    check({{70, 2}, {70, 2}},
          [&](auto const& x) { return info_nce(x[0], x[1], diagonal, 2.0, 0.01); });
    check({{4, 3}}, [&](auto const& x) {
        return info_nce(x[0], x[0], std::span(diagonal).first(4), 0.5, 0.25);
    });
}

TEST_CASE("a ranking loss of far apart scores is finite", "[recsys][tape]") {
    polder::ParameterArena<float> x;
    x.add("p", 1, 1);
    x.add("n", 1, 1);
    x["n"].data[0] = 1000;
    auto gradient = x;
    TestTape<float> tape;
    auto const loss = softplus_bpr_loss(tape.parameter(std::as_const(x)["p"], gradient["p"]),
                                        tape.parameter(std::as_const(x)["n"], gradient["n"]), 1.0F);
    tape.backward(loss);
    CHECK(loss.scalar() == 1000);
    CHECK(gradient["p"].data[0] == -1);
    CHECK(gradient["n"].data[0] == 1);
}

TEST_CASE("operations along edges have their derivatives", "[recsys][tape]") {
    const Pattern pattern(random_sparse<double>(6, 5, 0.6, 3));
    const std::size_t n = pattern.size();
    REQUIRE(n > 5);
    check({{n, 1}, {5, 4}}, [&](auto const& x) { return propagate(pattern, x[0], x[1]); });
    check({{6, 4}, {5, 4}}, [&](auto const& x) { return edge_dot(pattern, x[0], x[1]); });
    check({{n, 1}}, [&](auto const& x) { return edge_softmax(pattern, x[0]); });
    check({{n, 1}}, [&](auto const& x) { return edge_softmax(pattern, x[0], 1e-16); });
    check({{n, 1}}, [&](auto const& x) { return edge_row_sum(pattern, x[0]); });
}

TEST_CASE("a pattern can become another one without some entries", "[recsys][tape]") {
    auto const matrix = random_sparse<double>(6, 5, 0.6, 3);
    const Pattern all(matrix);
    Csr<double> thinned{6, 5, {0}, {}, {}};
    std::vector<std::int32_t> number(all.size(), -1);
    for (std::size_t row = 0; row < 6; ++row) {
        for (std::size_t k = matrix.offsets[row]; k < matrix.offsets[row + 1]; ++k) {
            if (k % 3 == 1) continue;
            number[k] = static_cast<std::int32_t>(thinned.columns.size());
            thinned.columns.push_back(matrix.columns[k]);
            thinned.values.push_back(matrix.values[k]);
        }
        thinned.offsets.push_back(thinned.columns.size());
    }
    const Pattern expected(thinned);
    Pattern found(random_sparse<double>(9, 9, 0.9, 4));
    found.assign(all, number);
    CHECK(found.rows == 6);
    CHECK(found.cols == 5);
    for (auto const side : {&Pattern::by_row, &Pattern::by_column}) {
        CHECK((found.*side).offsets == (expected.*side).offsets);
        CHECK((found.*side).ends == (expected.*side).ends);
        CHECK((found.*side).entry == (expected.*side).entry);
    }
}
