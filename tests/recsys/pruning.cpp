#include "recsys/models/pruning.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace {

using namespace polder::recsys;
using Chance = EdgePruning::Chance;

// User 0 has all ten items, the other nine have one each; the first row occurs twice.
Dataset popular_user() {
    Dataset data;
    data.n_users = 10;
    data.n_items = 10;
    for (std::int32_t item = 9; item >= 0; --item) data.train.push_back({0, item});
    for (std::int32_t user = 1; user < 10; ++user) data.train.push_back({user, user});
    data.train.push_back(data.train.front());
    return data;
}

Noise<double> in_epoch(int epoch) {
    Noise<double> noise;
    noise.begin_epoch(3, epoch);
    return noise;
}

}  // namespace

TEST_CASE("samples without replacement follow the weights of what is left", "[recsys][pruning]") {
    const std::vector<double> weights = {1, 2, 5};
    std::array<int, 3> first{}, absent{};
    const int n = 40000;
    for (int k = 0; k < n; ++k) {
        ++first[sample_without_replacement(weights, 1, Random(1, "one", k)).front()];
        auto const two = sample_without_replacement(weights, 2, Random(1, "two", k));
        REQUIRE(two[0] < two[1]);
        ++absent[3 - two[0] - two[1]];
    }
    for (std::size_t k = 0; k < 3; ++k) CHECK(first[k] == Approx(n * weights[k] / 8).epsilon(0.05));
    // Without 2: 0 then 1, or 1 then 0; and so on.
    CHECK(absent[2] == Approx(n * (1.0 / 8 * 2 / 7 + 2.0 / 8 * 1 / 6)).epsilon(0.05));
    CHECK(absent[1] == Approx(n * (1.0 / 8 * 5 / 7 + 5.0 / 8 * 1 / 3)).epsilon(0.05));
    CHECK(absent[0] == Approx(n * (2.0 / 8 * 5 / 6 + 5.0 / 8 * 2 / 3)).epsilon(0.05));
    CHECK(sample_without_replacement(weights, 3, Random(1)) == std::vector<std::size_t>{0, 1, 2});
    CHECK(sample_without_replacement(weights, 0, Random(1)).empty());
}

TEST_CASE("pruning keeps the whole part of a share of the distinct pairs", "[recsys][pruning]") {
    const EdgePruning pruning(popular_user());
    CHECK(pruning.weights().size() == 19);
    auto const size = [&](double rate) {
        return pruning.prune(in_epoch(0), rate, Chance::uniform).columns.size();
    };
    CHECK(size(0) == 19);
    CHECK(size(0.1) == 17);
    CHECK(size(0.9) == 1);
    CHECK(size(1) == 0);

    Dataset hundred;
    hundred.n_users = 10;
    hundred.n_items = 10;
    for (std::int32_t k = 0; k < 100; ++k) hundred.train.push_back({k / 10, k % 10});
    // 100 * (1 - 0.9) is less than 10 in doubles.
    CHECK(EdgePruning(hundred).prune(in_epoch(0), 0.9, Chance::uniform).columns.size() == 9);
}

TEST_CASE("a pruned graph is normalised by the degrees that are left", "[recsys][pruning]") {
    auto const data = popular_user();
    const EdgePruning pruning(data);
    auto const full = normalised_interactions<double>(data);
    auto const kept = pruning.prune(in_epoch(4), 0.5, Chance::by_weight);
    CHECK(kept.rows == 10);
    CHECK(kept.cols == 10);
    std::vector<double> degree(10);
    for (auto const column : kept.columns) ++degree[static_cast<std::size_t>(column)];
    for (std::size_t user = 0; user < 10; ++user) {
        const double own = static_cast<double>(kept.offsets[user + 1] - kept.offsets[user]);
        for (std::size_t k = kept.offsets[user]; k < kept.offsets[user + 1]; ++k) {
            auto const item = kept.columns[k];
            CHECK(kept.values[k] ==
                  Approx(1 /
                         std::sqrt((own + 1e-7) * (degree[static_cast<std::size_t>(item)] + 1e-7)))
                      .epsilon(1e-14));
            CHECK(std::count(full.columns.begin() + static_cast<std::ptrdiff_t>(full.offsets[user]),
                             full.columns.begin() +
                                 static_cast<std::ptrdiff_t>(full.offsets[user + 1]),
                             item) == 1);
        }
    }
}

TEST_CASE("edges between popular nodes are pruned more often, or all alike", "[recsys][pruning]") {
    const EdgePruning pruning(popular_user());
    auto const share_of_popular = [&](Chance chance) {
        double popular = 0, all = 0;
        for (int epoch = 0; epoch < 2000; ++epoch) {
            auto const kept = pruning.prune(in_epoch(epoch), 0.7, chance);
            popular += static_cast<double>(kept.offsets[1]);
            all += static_cast<double>(kept.columns.size());
        }
        return popular / all;
    };
    CHECK(share_of_popular(Chance::uniform) == Approx(10.0 / 19).epsilon(0.03));
    CHECK(share_of_popular(Chance::by_weight) < 0.4);
}

TEST_CASE("what is pruned follows from seed and epoch, and may be fixed", "[recsys][pruning]") {
    const EdgePruning pruning(popular_user());
    auto const columns = [&](int epoch) {
        return pruning.prune(in_epoch(epoch), 0.5, Chance::by_weight).columns;
    };
    CHECK(columns(1) == columns(1));
    std::set<std::vector<std::int32_t>> different;
    for (int epoch = 0; epoch < 10; ++epoch) different.insert(columns(epoch));
    CHECK(different.size() > 5);

    auto noise = in_epoch(0);
    noise.fix("kept_edges", {0, 18, 10});  // (0, 9), (9, 9) and (1, 1)
    auto const kept = pruning.prune(noise, 0.5, Chance::uniform);
    CHECK(kept.columns == std::vector<std::int32_t>{9, 1, 9});
    CHECK(kept.offsets[1] == 1);
    CHECK(kept.offsets[2] == 2);
    noise.fix("kept_edges", {19});
    CHECK_THROWS_WITH(pruning.prune(noise, 0.5, Chance::uniform),
                      ContainsSubstring("expected 0 to 18"));
}
