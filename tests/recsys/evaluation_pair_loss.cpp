#include "recsys/evaluation/pair_loss.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "support/catch.hpp"

using namespace polder::recsys;

namespace {

// Users 0 and 1 know one item each, so the other item of train is the only one to be drawn against it.
Dataset two_users() {
    Dataset data;
    data.name = "two users";
    data.n_users = 2;
    data.n_items = 3;
    data.train = {{0, 0}, {1, 1}};
    data.valid = {{0, 2}};
    return data;
}

double loss(double difference) { return std::log(1 + std::exp(-difference)); }

}  // namespace

TEST_CASE("the pair loss is the mean of log(1 + exp(s(u, j) - s(u, i)))", "[pair_loss]") {
    auto const data = two_users();
    std::array<double, 4> users{1, 2, -1, 0.5};
    std::array<double, 6> items{0.5, 1, -2, 0.25, 3, -1};
    Representations<double> const r{{users.data(), 2, 2}, {items.data(), 3, 2}};
    auto const score = [&](std::size_t u, std::size_t i) {
        return users[2 * u] * items[2 * i] + users[2 * u + 1] * items[2 * i + 1];
    };
    auto const found = pair_loss(data, r);
    CHECK(found.train ==
          Approx((loss(score(0, 0) - score(0, 1)) + loss(score(1, 1) - score(1, 0))) / 2));
    CHECK(found.valid == Approx(loss(score(0, 2) - score(0, 1))));
    CHECK(found.gap() == found.valid - found.train);
}

TEST_CASE("the pair loss leaves out users who have every item", "[pair_loss]") {
    auto data = two_users();
    std::array<double, 2> users{1, 2};
    std::array<double, 3> items{0.5, 1, -2};
    Representations<double> const r{{users.data(), 2, 1}, {items.data(), 3, 1}};
    data.train.push_back({0, 1});
    auto const found = pair_loss(data, r);
    CHECK(found.train == Approx(loss(2 * 1 - 2 * 0.5)));
    CHECK(std::isnan(found.valid));
}

TEST_CASE("the pair loss of large scores is finite, and nothing without rows", "[pair_loss]") {
    auto data = two_users();
    data.valid.clear();
    std::array<float, 2> users{1e3f, -1e3f};
    std::array<float, 3> items{10, -10, 0};
    Representations<float> const r{{users.data(), 2, 1}, {items.data(), 3, 1}};
    auto const found = pair_loss(data, r);
    CHECK(found.train == Approx(0).margin(1e-12));
    CHECK(std::isnan(found.valid));
    users = {-1e3f, 1e3f};
    CHECK(pair_loss(data, r).train == Approx(2e4));
}
