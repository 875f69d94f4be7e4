#include "recsys/evaluation/list_metrics.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/evaluation/full_sort.hpp"
#include "recsys/evaluation/rivals.hpp"
#include "recsys/evaluation/significance.hpp"
#include "recsys/random.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder::recsys;
using ItemList = std::vector<std::int32_t>;

// 30 users, 20 items, three rows of training and two of test each, features of three columns, one row of them zeros.
Dataset small_data() {
    Dataset data;
    data.n_users = 30;
    data.n_items = 20;
    Random random(3, "lists");
    for (std::int32_t user = 0; user < data.n_users; ++user)
        for (int k = 0; k < 5; ++k)
            (k < 3 ? data.train : data.test)
                .push_back({user, static_cast<std::int32_t>(random.uniform_index(20))});
    data.visual = {20, 3, std::vector<float>(60)};
    for (auto& v : data.visual.values) v = static_cast<float>(random.uniform_index(7)) - 3;
    for (std::size_t k = 0; k < 3; ++k) data.visual.values[k] = 0;
    return data;
}

std::vector<ItemList> drawn_lists(std::size_t n, std::size_t length) {
    Random random(4, "lists");
    std::vector<ItemList> lists(n);
    for (auto& list : lists)
        while (list.size() < length) {
            auto const item = static_cast<std::int32_t>(random.uniform_index(20));
            if (std::find(list.begin(), list.end(), item) == list.end()) list.push_back(item);
        }
    return lists;
}

}  // namespace

TEST_CASE("measures of a list follow from which ranks are hits", "[evaluation]") {
    ItemList const list{7, 3, 9, 1}, relevant{9, 1, 5};
    auto const at = measures_at(list, relevant, 3);  // one hit, at rank 3
    CHECK(at.recall == Approx(1.0 / 3));
    CHECK(at.precision == Approx(1.0 / 3));
    CHECK(at.f1 == Approx(1.0 / 3));
    CHECK(at.hr == 1);
    CHECK(at.mrr == Approx(1.0 / 3));
    CHECK(at.ndcg == Approx(0.5 / (1 + 1 / std::log2(3) + 0.5)));
    CHECK(at.map == Approx(1.0 / 9));
    auto const longer = measures_at(list, relevant, 50);  // beyond its end a list has misses
    CHECK(longer.recall == Approx(2.0 / 3));
    CHECK(longer.precision == Approx(2.0 / 50));
    CHECK(longer.f1 == Approx(2 * (2.0 / 3) * 0.04 / (2.0 / 3 + 0.04)));
    auto const none = measures_at(list, ItemList{0}, 4);
    CHECK(none.hr == 0);
    CHECK(none.mrr == 0);
    CHECK(none.f1 == 0);
}

TEST_CASE("measures at the lengths of training are those of training", "[evaluation]") {
    auto const data = small_data();
    UserItems const test(data.test, data.n_users);
    auto const lists = drawn_lists(30, 20);
    for (std::int32_t user = 0; user < 30; ++user) {
        auto const& list = lists[static_cast<std::size_t>(user)];
        auto const expected = metrics_of_list(list, test[user]);
        for (std::size_t k = 0; k < cutoffs.size(); ++k) {
            auto const found = measures_at(list, test[user], cutoffs[k]);
            CHECK(found.recall == expected.recall[k]);
            CHECK(found.precision == expected.precision[k]);
            CHECK(found.ndcg == expected.ndcg[k]);
            CHECK(found.map == expected.map[k]);
        }
    }
}

TEST_CASE("the area under the ROC curve counts pairs", "[evaluation]") {
    Random random(5, "auc");
    for (int trial = 0; trial < 20; ++trial) {
        std::vector<float> scores(12);
        for (auto& s : scores) s = static_cast<float>(random.uniform_index(5));  // with ties
        ItemList const relevant{2, 7}, masked{0, 11};
        double above = 0, pairs = 0;
        for (auto const i : relevant)
            for (std::int32_t j = 1; j < 11; ++j) {
                if (j == 2 || j == 7) continue;
                auto const a = scores[static_cast<std::size_t>(i)],
                           b = scores[static_cast<std::size_t>(j)];
                above += a > b ? 1 : a == b ? 0.5 : 0;
                pairs += 1;
            }
        CHECK(auc(scores, relevant, masked) == Approx(above / pairs));
    }
    CHECK(std::isnan(auc(std::vector<float>{1}, ItemList{0}, ItemList{})));
}

TEST_CASE("what lists are like agrees with plain loops", "[evaluation]") {
    auto const data = small_data();
    auto const lists = drawn_lists(30, 8);
    std::size_t const K = 5;
    std::vector<double> rows(20), count(20);
    for (auto const& row : data.train) rows[static_cast<std::size_t>(row.item)] += 1;
    double popularity = 0, novelty = 0, diversity = 0;
    for (auto const& list : lists) {
        double of_list = 0;
        for (std::size_t r = 0; r < K; ++r) {
            auto const i = static_cast<std::size_t>(list[r]);
            count[i] += 1;
            popularity += rows[i] / (30.0 * K);
            novelty += -std::log2(std::max(rows[i], 1.0) / 30) / (30.0 * K);
            for (std::size_t q = 0; q < r; ++q) {
                auto const a = data.visual.row(i),
                           b = data.visual.row(static_cast<std::size_t>(list[q]));
                double ab = 0, aa = 0, bb = 0;
                for (std::size_t c = 0; c < 3; ++c) {
                    ab += double(a[c]) * double(b[c]);
                    aa += double(a[c]) * double(a[c]);
                    bb += double(b[c]) * double(b[c]);
                }
                of_list += 1 - (ab == 0 ? 0 : ab / std::sqrt(aa * bb));
            }
        }
        diversity += of_list / (K * (K - 1) / 2.0) / 30;
    }
    double covered = 0, differences = 0;
    for (auto const a : count) {
        covered += a > 0 ? 1 : 0;
        for (auto const b : count) differences += std::abs(a - b);
    }
    auto const found = character_at(lists, data, K);
    CHECK(found.coverage == Approx(covered / 20));
    CHECK(found.gini ==
          Approx(differences / (2 * 20 * 30.0 * K)));  // the mean difference over twice the mean
    CHECK(found.popularity == Approx(popularity));
    CHECK(found.novelty == Approx(novelty));
    CHECK(found.visual_diversity == Approx(diversity));
    CHECK(std::isnan(found.textual_diversity));
}

TEST_CASE("rivals score by popularity and by similar items", "[evaluation]") {
    auto const data = small_data();
    auto const has = UserItems::distinct(data.train, data.n_users);
    std::vector<float> scores(20);
    Popularity{data}(0, scores);
    for (std::int32_t i = 0; i < 20; ++i)
        CHECK(scores[static_cast<std::size_t>(i)] ==
              static_cast<float>(
                  std::count_if(data.train.begin(), data.train.end(),
                                [&](Interaction const& row) { return row.item == i; })));
    auto const shrink = GENERATE(0.0, 2.0);
    auto const k = GENERATE(std::size_t{3}, std::size_t{50});
    ItemNeighbours const neighbours(data, {k, shrink});
    auto const together = [&](std::int32_t i, std::int32_t j) {
        double n = 0;
        for (std::int32_t user = 0; user < 30; ++user)
            n += has.contains(user, i) && has.contains(user, j) ? 1 : 0;
        return n;
    };
    for (std::int32_t user = 0; user < 30; ++user) {
        neighbours(user, scores);
        for (std::int32_t i = 0; i < 20; ++i) {
            std::vector<std::pair<double, std::int32_t>> similar;
            for (std::int32_t j = 0; j < 20; ++j)
                if (j != i && together(i, j) > 0)
                    similar.push_back(
                        {-together(i, j) / (std::sqrt(together(i, i) * together(j, j)) + shrink),
                         j});
            std::sort(similar.begin(), similar.end());
            double expected = 0;
            for (std::size_t r = 0; r < std::min(k, similar.size()); ++r)
                if (has.contains(user, similar[r].second)) expected -= similar[r].first;
            CHECK(scores[static_cast<std::size_t>(i)] == Approx(expected).margin(1e-6));
        }
    }
}

TEST_CASE("lists of any length are taken of scores that are no products", "[evaluation]") {
    auto data = small_data();
    data.valid.push_back({4, 2});
    auto const masks_valid = GENERATE(false, true);
    auto const length = GENERATE(std::size_t{1}, std::size_t{6}, std::size_t{20});
    FullSort const full_sort(data, {length, masks_valid});
    auto const popularity = Popularity(data);
    std::vector<ItemList> lists(30);
    full_sort.for_each_list(
        [&](std::size_t k, std::span<float> scores) { popularity(full_sort.users()[k], scores); },
        2,
        [&](std::size_t k, std::span<std::int32_t const> list) {
            lists[k].assign(list.begin(), list.end());
        });
    auto const has = UserItems::distinct(data.train, data.n_users);
    std::vector<float> rows(20);
    popularity(0, rows);
    for (std::int32_t user = 0; user < 30; ++user) {
        ItemList expected(20);
        for (std::int32_t i = 0; i < 20; ++i) expected[static_cast<std::size_t>(i)] = i;
        auto const score = [&](std::int32_t i) {
            return has.contains(user, i) || (masks_valid && user == 4 && i == 2)
                       ? -1e10F
                       : rows[static_cast<std::size_t>(i)];
        };
        std::stable_sort(expected.begin(), expected.end(),
                         [&](std::int32_t a, std::int32_t b) { return score(a) > score(b); });
        expected.resize(length);
        CHECK(lists[static_cast<std::size_t>(user)] == expected);
    }
}

TEST_CASE("the signed-rank test agrees with all sign patterns counted", "[evaluation]") {
    std::vector<double> const d{6, 8, 14, 16, -23, 24, 28, -29, 41, 48, 48, 56};  // two are equal
    std::vector<double> const zero(d.size());
    std::vector<double> const ranks{1, 2, 3, 4, 5, 6, 7, 8, 9, 10.5, 10.5, 12};
    double observed = 0;
    for (std::size_t k = 0; k < d.size(); ++k) observed += d[k] > 0 ? ranks[k] : 0;
    double extreme = 0;
    for (unsigned pattern = 0; pattern < 1u << 12; ++pattern) {
        double sum = 0;
        for (std::size_t k = 0; k < 12; ++k) sum += (pattern >> k & 1u) != 0 ? ranks[k] : 0;
        extreme += std::abs(sum - 39) >= std::abs(observed - 39) - 1e-9 ? 1 : 0;
    }
    CHECK(wilcoxon_p(d, zero) == Approx(extreme / 4096).margin(0.005));
    CHECK(wilcoxon_p(zero, d) == wilcoxon_p(d, zero));
    CHECK(std::isnan(wilcoxon_p(std::vector<double>{1, 2}, std::vector<double>{0, 0})));
    CHECK_THROWS_WITH(wilcoxon_p(d, std::vector<double>{1}),
                      "signed-rank test of 12 and 1 values, expected equal numbers");
}

TEST_CASE("Holm's correction", "[evaluation]") {
    double const none = std::nan("");
    auto const corrected = holm(std::vector<double>{0.01, none, 0.04, 0.03, 0.005});
    CHECK(corrected[4] == Approx(0.02));
    CHECK(corrected[0] == Approx(0.03));
    CHECK(corrected[3] == Approx(0.06));
    CHECK(corrected[2] == Approx(0.06));  // not below the one before
    CHECK(std::isnan(corrected[1]));
    CHECK(holm(std::vector<double>{0.7, 0.9})[0] == 1);
}
