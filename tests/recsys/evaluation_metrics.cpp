#include "recsys/evaluation/metrics.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "support/catch.hpp"

using namespace polder::recsys;

TEST_CASE("metrics match the worked examples of the protocol", "[evaluation]") {
    std::array const a{false, true, false, false, true};
    std::array const b{false, false, false, true, false};
    std::array const c{true, false, true, false, true};
    auto const margin = 5e-7;

    auto const a2 = metrics_at(a, 2, 2), a5 = metrics_at(a, 2, 5);
    CHECK(a2.recall == 0.5);
    CHECK(a2.precision == 0.5);
    CHECK(a2.ndcg == Approx(0.386853).margin(margin));
    CHECK(a2.map == 0.25);
    CHECK(a5.recall == 1.0);
    CHECK(a5.precision == 0.4);
    CHECK(a5.ndcg == Approx(0.624051).margin(margin));
    CHECK(a5.map == Approx(0.45));

    auto const b2 = metrics_at(b, 1, 2), b5 = metrics_at(b, 1, 5);
    CHECK(b2.recall + b2.precision + b2.ndcg + b2.map == 0);
    CHECK(b5.recall == 1.0);
    CHECK(b5.precision == 0.2);
    CHECK(b5.ndcg == Approx(0.430677).margin(margin));
    CHECK(b5.map == 0.25);

    CHECK(round_to_4_decimals((a2.ndcg + b2.ndcg) / 2) == 0.1934);
    CHECK(round_to_4_decimals((a5.ndcg + b5.ndcg) / 2) == 0.5274);

    // Seven relevant items, five ranks: the ideal list has five terms.
    auto const c5 = metrics_at(c, 7, 5);
    CHECK(c5.recall == Approx(0.428571).margin(margin));
    CHECK(c5.precision == Approx(0.6));
    CHECK(c5.ndcg == Approx(0.639945).margin(margin));
    CHECK(c5.map == Approx(0.453333).margin(margin));
}

TEST_CASE("ranks beyond the end of a short list are misses", "[evaluation]") {
    std::array const hits{true};
    auto const at = metrics_at(hits, 2, 5);
    CHECK(at.recall == 0.5);
    CHECK(at.precision == 0.2);
    CHECK(metrics_at({}, 1, 5).recall == 0);
}

TEST_CASE("rounding to 4 decimals takes halves to even", "[evaluation]") {
    CHECK(round_to_4_decimals(0.00005) == 0.0);
    CHECK(round_to_4_decimals(0.00025) == 0.0002);
    CHECK(round_to_4_decimals(0.12345) == 0.1234);
    CHECK(round_to_4_decimals(0.12355) == 0.1236);
    CHECK(round_to_4_decimals(0.07561) == 0.0756);
}

TEST_CASE("a repeated row counts twice in the number of relevant rows", "[evaluation]") {
    std::vector<std::int32_t> list(50);
    std::iota(list.begin(), list.end(), 0);
    std::array<std::int32_t, 2> const relevant{3, 3};
    CHECK(metrics_of_list(list, relevant)["recall@5"] == 0.5);
}

TEST_CASE("metrics are found by name", "[evaluation]") {
    Metrics metrics;
    metrics.recall = {0.1, 0.2, 0.3, 0.4};
    metrics.ndcg = {0.5, 0.6, 0.7, 0.8};
    CHECK(metrics["recall@20"] == 0.3);
    CHECK(metrics["ndcg@5"] == 0.5);
    CHECK(Metrics::names().size() == 16);
    CHECK_THROWS_WITH(metrics["recall@7"],
                      ContainsSubstring("unknown metric 'recall@7'; nearest: recall@5, recall@10, "
                                        "recall@20; known: recall@5, recall@10"));
}

TEST_CASE("a mean is over the users that are given, and over none it is not measured",
          "[evaluation]") {
    CHECK(mean({}).n_users == 0);
    for (auto const& name : Metrics::names()) CHECK(std::isnan(mean({})[name]));
    std::vector<Metrics> users(2);
    users[0].recall = {1, 1, 1, 1};
    CHECK(mean(users)["recall@5"] == 0.5);
    CHECK(mean(users).n_users == 2);
}
