#include "recsys/models/edge_dropout.hpp"
#include "recsys/models/noise.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "recsys/finite_differences.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder::recsys;

// What a linear map makes of every unit vector: the rows of its transpose.
template <class Map>
test::Matrix<double> matrix_of(std::size_t rows, std::size_t cols, Map const& map) {
    test::TestTape<double> tape(test::TestBackend<double>(1));
    test::Matrix<double> unit{cols, cols};
    for (std::size_t k = 0; k < cols; ++k) unit.values[k * cols + k] = 1;
    auto const y = map(tape.constant(unit));
    test::Matrix<double> result{rows, cols};
    std::copy_n(y.value().data, rows * cols, result.values.begin());
    return result;
}

}  // namespace

TEST_CASE("masks of chosen rows belong to the rows, not to their places", "[recsys][noise]") {
    Noise<double> noise;
    noise.begin_epoch(1, 2);
    noise.begin_batch(6);
    const std::vector<std::int32_t> index = {4, 0, 4, 2}, other = {2, 4};
    auto const copy = [](auto view) {
        return std::vector<double>(view.data, view.data + view.size());
    };
    auto const masks = copy(noise.dropout_rows("x", index, 5, 300, 0.4));
    auto const again = copy(noise.dropout_rows("x", other, 5, 300, 0.4));
    auto const row = [](std::vector<double> const& of, std::ptrdiff_t k) {
        return std::vector<double>(of.begin() + 300 * k, of.begin() + 300 * (k + 1));
    };
    CHECK(row(masks, 0) == row(masks, 2));
    CHECK(row(masks, 0) != row(masks, 1));
    CHECK(row(again, 0) == row(masks, 3));
    CHECK(row(again, 1) == row(masks, 0));
    for (const double value : masks) CHECK((value == 0 || value == 1 / 0.6));
    CHECK(static_cast<double>(std::count(masks.begin(), masks.end(), 0.0)) ==
          Approx(0.4 * 1200).epsilon(0.15));
    noise.begin_batch(6, true);
    auto const redrawn = copy(noise.dropout_rows("x", index, 5, 300, 0.4));
    CHECK(redrawn != masks);
    auto const whole = copy(noise.dropout("z", 5, 30, 0.4));
    noise.begin_batch(6);
    CHECK(copy(noise.dropout_rows("x", index, 5, 300, 0.4)) == masks);
    CHECK(copy(noise.dropout("z", 5, 30, 0.4)) != whole);
    noise.begin_batch(6, true);
    CHECK(copy(noise.dropout("z", 5, 30, 0.4)) == whole);
    noise.begin_batch(8);
    CHECK(copy(noise.dropout_rows("x", index, 5, 300, 0.4)) != masks);

    noise.fix("y", {1, 0, 0, 1, 1, 1});
    const std::vector<std::int32_t> last = {2, 1};
    CHECK(copy(noise.dropout_rows("y", last, 3, 2, 0.5)) == std::vector<double>{2, 2, 0, 2});
    CHECK_THROWS_WITH(noise.dropout_rows("y", last, 3, 3, 0.5),
                      "noise: 'y' has 6 values, expected 9");
}

TEST_CASE("dropped edges are gone in both products, each direction for itself",
          "[recsys][edge_dropout]") {
    auto const r = test::random_sparse<double>(40, 30, 0.5, 1);
    EdgeDropout<double> dropout(r);
    auto const to_users = [&] {
        return matrix_of(40, 30, [&](auto x) { return dropout.to_users(x); });
    };
    auto const to_items = [&] {
        return matrix_of(30, 40, [&](auto x) { return dropout.to_items(x); });
    };
    test::Matrix<double> full{40, 30};
    for (std::size_t row = 0; row < 40; ++row)
        for (std::size_t k = r.offsets[row]; k < r.offsets[row + 1]; ++k)
            full.values[row * 30 + static_cast<std::size_t>(r.columns[k])] = r.values[k];
    CHECK(to_users().values == full.values);

    dropout.draw(Random(1, "draw"), 0.25);
    auto const a = to_users(), b = to_items();
    double kept = 0, alike = 0;
    for (std::size_t user = 0; user < 40; ++user) {
        for (std::size_t item = 0; item < 30; ++item) {
            const double value = full.values[user * 30 + item];
            const double there = a.values[user * 30 + item], back = b.values[item * 40 + user];
            CHECK((there == 0 || there == Approx(value / 0.75)));
            CHECK((back == 0 || back == Approx(value / 0.75)));
            kept += static_cast<double>(there != 0) + static_cast<double>(back != 0);
            alike += static_cast<double>(value != 0 && (there != 0) == (back != 0));
        }
    }
    auto const n = static_cast<double>(r.values.size());
    CHECK(kept == Approx(0.75 * 2 * n).epsilon(0.05));
    CHECK(alike == Approx((0.75 * 0.75 + 0.25 * 0.25) * n).epsilon(0.1));

    // The way back is through the same entries.
    test::check_gradient(test::random_parameters({{30, 2}, {40, 2}}, 3), [&](auto const& x) {
        return sum_of_squares(dropout.to_users(x[0])) + sum_of_squares(dropout.to_items(x[1]));
    });

    std::vector<double> all(70 * 70);
    for (std::size_t user = 0; user < 40; ++user)
        for (std::size_t item = 0; item < 30; item += 2) all[user * 70 + 40 + item] = 1;
    dropout.fix(all, 0.5);
    auto const fixed = to_users();
    for (std::size_t k = 0; k < fixed.values.size(); ++k)
        CHECK(fixed.values[k] == (k % 30 % 2 == 0 ? 2 * full.values[k] : 0));
    auto const none = to_items();
    CHECK(std::all_of(none.values.begin(), none.values.end(), [](double x) { return x == 0; }));
}
