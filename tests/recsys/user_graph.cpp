#include "recsys/models/user_graph.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "recsys/finite_differences.hpp"
#include "recsys/models/convolution.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder::recsys;

// Users 0, 1, 2 have two items each and 1 to 2 in common, user 3 has one of its own, user 4 none.
Dataset toy_graph() {
    Dataset data;
    data.n_users = 5;
    data.n_items = 4;
    data.train = {{0, 0}, {0, 1}, {1, 0}, {1, 1}, {2, 1}, {2, 2}, {3, 3}};
    return data;
}

// The weights of all users for all others, (n_users x n_users).
std::vector<double> weights(UserGraph<double> const& graph, std::size_t n_users) {
    test::Matrix<double> identity{n_users, n_users};
    for (std::size_t user = 0; user < n_users; ++user) identity.values[user * n_users + user] = 1;
    test::TestTape<double> tape;
    auto const result = graph(tape.constant(identity)).value();
    return {result.data, result.data + result.size()};
}

}  // namespace

TEST_CASE("a user with enough neighbours keeps those with most items in common",
          "[recsys][user_graph]") {
    Noise<double> noise;
    UserGraph<double> graph(toy_graph(), 2, true, 1);
    graph.sample(noise);
    const double e = std::exp(1.0);
    const std::vector<double> expected = {
        0,           e / (1 + e), 1 / (1 + e), 0, 0,  // counts 2, 1
        e / (1 + e), 0,           1 / (1 + e), 0, 0,  // counts 2, 1
        0.5,         0.5,         0,           0, 0,  // counts 1, 1
        0,           0,           0,           0, 0, 0, 0, 0, 0, 0};
    auto const found = weights(graph, 5);
    for (std::size_t k = 0; k < 25; ++k) CHECK(found[k] == Approx(expected[k]));

    UserGraph<double> one(toy_graph(), 1, true, 1);
    one.sample(noise);
    CHECK(weights(one, 5)[10] == 1);  // of users 0 and 1, which are equally near to 2

    UserGraph<double> equal(toy_graph(), 2, false, 1);
    equal.sample(noise);
    CHECK(weights(equal, 5)[1] == 0.5);
    CHECK(weights(equal, 5)[2] == 0.5);
}

TEST_CASE("short lists of neighbours are filled up with copies, anew in every epoch",
          "[recsys][user_graph]") {
    constexpr std::size_t k = 7;
    UserGraph<double> graph(toy_graph(), k, false, 1);
    std::vector<int> seen(k + 1);
    double mean = 0;
    constexpr int epochs = 4000;
    for (int epoch = 0; epoch < epochs; ++epoch) {
        Noise<double> noise;
        noise.begin_epoch(1, epoch);
        graph.sample(noise);
        auto const found = weights(graph, 5);
        REQUIRE(found[1] + found[2] == Approx(1));
        const double copies =
            static_cast<double>(k) * found[1];  // of neighbour 1, in k slots of user 0
        REQUIRE(copies == Approx(std::round(copies)));
        ++seen[static_cast<std::size_t>(std::lround(copies))];
        mean += copies / epochs;
        for (std::size_t entry = 15; entry < 25; ++entry) REQUIRE(found[entry] == 0);
    }
    // An urn that starts with one of each: every number from 1 to k - 1 is equally likely.
    CHECK(mean == Approx(3.5).margin(0.15));
    CHECK(seen[0] == 0);
    CHECK(seen[k] == 0);
    for (std::size_t copies = 1; copies < k; ++copies)
        CHECK(seen[copies] == Approx(epochs / 6.0).margin(120));
}

TEST_CASE("given neighbours and weights are those of the graph", "[recsys][user_graph]") {
    Noise<double> noise;
    noise.fix("sampled_user_graph.index", {1, 1, 4, 0, 0, 0, 2, 3, 0, 1});
    noise.fix("sampled_user_graph.weight", {0.25, 0.5, 1, 2, 0, 0, 3, 4, 5, 6});
    UserGraph<double> graph(toy_graph(), 2, true, 1);
    graph.sample(noise);
    CHECK(weights(graph, 5) == std::vector<double>{0, 0.75, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0,
                                                   0, 0,    0, 0, 3, 4, 0, 5, 6, 0, 0, 0});

    noise.fix("sampled_user_graph.index", {1});
    CHECK_THROWS_WITH(graph.sample(noise),
                      "noise: 'sampled_user_graph' has 1 users and 10 weights, expected 10");
}

TEST_CASE("a convolution sums over neighbours by degrees, or takes their mean", "[recsys][graph]") {
    auto const data = toy_graph();
    auto const u = test::random_matrix<double>(5, 3, 1), i = test::random_matrix<double>(4, 3, 2);
    test::TestTape<double> tape;
    auto const row = [](auto const& matrix, std::size_t k) {
        return std::vector<double>(matrix.data + 3 * k, matrix.data + 3 * (k + 1));
    };
    for (const bool symmetric : {true, false}) {
        auto const graph =
            symmetric ? Convolution<double>::symmetric(data) : Convolution<double>::mean(data);
        auto const users = graph.to_users(tape.constant(i)).value();
        auto const items = graph.to_items(tape.constant(u)).value();
        const double from_1 = symmetric ? 1 / std::sqrt(6) : 0.5;
        const double to_1 = symmetric ? 1 / std::sqrt(6) : 1 / 3.0;
        for (std::size_t j = 0; j < 3; ++j) {
            CHECK(users(0, j) == Approx(0.5 * i.values[j] + from_1 * i.values[3 + j]));
            CHECK(items(1, j) == Approx(to_1 * (u.values[j] + u.values[3 + j] + u.values[6 + j])));
            CHECK(users(3, j) == i.values[9 + j]);
        }
        CHECK(row(users, 4) == std::vector<double>(3, 0));

        auto const weights = test::random_matrix<double>(5, 3, 3),
                   other = test::random_matrix<double>(4, 3, 4);
        test::check_gradient(test::random_parameters({{5, 3}, {4, 3}}, 5), [&](auto const& x) {
            return test::weighted_sum(graph.to_users(x[1]), weights) +
                   test::weighted_sum(graph.to_items(x[0]), other);
        });
    }
}
