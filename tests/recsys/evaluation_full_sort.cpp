#include "recsys/evaluation/full_sort.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/models/model.hpp"
#include "recsys/random.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder::recsys;
using Ids = std::vector<std::int32_t>;

// Scores given as a matrix: users are its rows, items the rows of the identity.
template <class T>
struct Scores {
    std::size_t n_users, n_items;
    std::vector<T> scores, identity;

    Scores(std::size_t users, std::size_t items, std::vector<T> values)
        : n_users(users), n_items(items), scores(std::move(values)), identity(items * items) {
        for (std::size_t item = 0; item < items; ++item) identity[item * items + item] = 1;
    }
    operator Representations<T>() const {
        return {{scores.data(), n_users, n_items}, {identity.data(), n_items, n_items}};
    }
};

template <class T>
std::vector<Ids> lists(FullSort const& full_sort, Representations<T> const& r, int threads = 1) {
    std::vector<Ids> result(full_sort.users().size());
    full_sort.for_each_list(r, threads, [&](std::size_t k, std::span<std::int32_t const> list) {
        result[k].assign(list.begin(), list.end());
    });
    return result;
}

// Every user has one row in each split, drawn at random.
Dataset data_of(std::int32_t n_users, std::int32_t n_items) {
    Dataset data;
    data.n_users = n_users;
    data.n_items = n_items;
    Random random(5, "data");
    auto const item = [&] {
        return static_cast<std::int32_t>(random.uniform_index(static_cast<std::uint64_t>(n_items)));
    };
    for (std::int32_t user = 0; user < n_users; ++user) {
        for (int k = 0; k < 3; ++k) data.train.push_back({user, item()});
        data.valid.push_back({user, item()});
        data.test.push_back({user, item()});
    }
    return data;
}

template <class T>
std::vector<T> values_of(std::size_t n, int n_levels) {
    Random random(6, "values");
    std::vector<T> values(n);
    for (auto& v : values)
        v = static_cast<T>(random.uniform_index(static_cast<std::uint64_t>(n_levels)));
    return values;
}

}  // namespace

TEMPLATE_TEST_CASE("lists are those of a full sort, equal scores by item", "[evaluation]", float,
                   double) {
    // Few levels make many ties; sizes are around tiles and groups.
    auto const n_items = GENERATE(1, 31, 49, 51, 511, 512, 513, 1100);
    auto const n_levels = GENERATE(1, 7, 1 << 20);
    CAPTURE(n_items, n_levels);
    std::int32_t const n_users = 130;
    auto const data = data_of(n_users, n_items);
    auto const n = static_cast<std::size_t>(n_items);
    Scores<TestType> const scores(n_users, n, values_of<TestType>(n_users * n, n_levels));
    auto const found = lists<TestType>(FullSort(data), scores);
    auto const train = UserItems::distinct(data.train, n_users);
    REQUIRE(found.size() == static_cast<std::size_t>(n_users));
    for (std::int32_t user = 0; user < n_users; ++user) {
        Ids expected(n);
        std::iota(expected.begin(), expected.end(), 0);
        auto const score = [&](std::int32_t item) {
            return train.contains(user, item) ? TestType(-1e10)
                                              : scores.scores[static_cast<std::size_t>(user) * n +
                                                              static_cast<std::size_t>(item)];
        };
        std::stable_sort(expected.begin(), expected.end(),
                         [&](std::int32_t a, std::int32_t b) { return score(a) > score(b); });
        expected.resize(std::min(n, list_length));
        REQUIRE(found[static_cast<std::size_t>(user)] == expected);
    }
}

TEST_CASE("only train items are masked, at valid and at test", "[evaluation]") {
    Dataset data;
    data.n_users = 1;
    data.n_items = 4;
    data.train = {{0, 0}};
    data.valid = {{0, 1}};
    data.test = {{0, 2}};
    Scores<float> const scores(1, 4, {9, 8, 7, 6});
    FullSort const full_sort(data);
    CHECK(lists<float>(full_sort, scores) == std::vector<Ids>{{1, 2, 3, 0}});
    auto const result = full_sort(Representations<float>(scores), 1);
    CHECK(result.valid.map[0] == 1.0);  // rank 1
    CHECK(result.test.map[0] == 0.5);   // rank 2, behind the valid item
}

TEST_CASE("users without rows in a split are not in its mean", "[evaluation]") {
    Dataset data;
    data.n_users = 3;
    data.n_items = 3;
    data.train = {{0, 0}, {1, 0}, {2, 0}};
    data.valid = {{0, 1}};
    data.test = {{0, 1}, {1, 1}};
    Scores<float> const scores(3, 3, {0, 1, 0, 0, 0, 0, 0, 0, 0});
    auto const result = FullSort(data)(Representations<float>(scores), 1);
    CHECK(result.valid.n_users == 1);
    CHECK(result.test.n_users == 2);
    CHECK(result.test.map[0] == 1.0);
}

TEST_CASE("evaluation is the same on any number of threads", "[evaluation][threads]") {
    auto const data = data_of(700, 300);
    std::size_t const d = 16;
    auto const users = values_of<float>(700 * d, 1000), items = values_of<float>(300 * d, 999);
    Representations<float> const r{{users.data(), 700, d}, {items.data(), 300, d}};
    FullSort const full_sort(data);
    auto const one = full_sort(r, 1);
    CHECK(one == full_sort(r, 2));
    CHECK(one == full_sort(r, 7));
    CHECK(lists(full_sort, r, 1) == lists(full_sort, r, 3));
}

TEST_CASE("scores that are not numbers are never in a list", "[evaluation]") {
    auto const nan = std::numeric_limits<float>::quiet_NaN();
    auto const infinity = std::numeric_limits<float>::infinity();
    auto const data = data_of(2, 100);
    std::vector<float> users{nan, 1, 1, 1}, items(200, 1);
    Representations<float> const r{{users.data(), 2, 2}, {items.data(), 100, 2}};
    auto const found = lists(FullSort(data), r);
    CHECK(found[0].size() <= 3);  // only what the mask wrote over
    CHECK(found[1].size() == 50);
    items[20] = nan;
    items[40] = -infinity;
    auto const again = lists(FullSort(data), r);
    CHECK(std::count(again[1].begin(), again[1].end(), 10) == 0);
    CHECK(std::count(again[1].begin(), again[1].end(), 20) == 0);
    std::fill(users.begin(), users.end(), nan);
    auto const result = FullSort(data)(r, 1);
    CHECK(result.valid.recall[0] == 0);
}

TEST_CASE("metrics match the reference's", "[evaluation][shared]") {
    auto const file = std::filesystem::path(POLDER_SHARED) / "golden" / "metrics.json";
    if (!std::filesystem::exists(file)) {
        WARN("skipped: " << file << " is absent");
        return;
    }
    auto const golden = nlohmann::json::parse(std::ifstream(file));
    Dataset data;
    data.n_users = golden["n_users"];
    data.n_items = golden["n_items"];
    auto const read = [&](char const* split) {
        std::vector<Interaction> rows;
        std::int32_t user = 0;
        for (auto const& items : golden[split]) {
            for (auto const& item : items) rows.push_back({user, item});
            ++user;
        }
        return rows;
    };
    data.train = read("train");
    data.valid = read("valid");
    data.test = read("test");
    Scores<double> const scores(static_cast<std::size_t>(data.n_users),
                                static_cast<std::size_t>(data.n_items), golden["scores"]["data"]);
    FullSort const full_sort(data);
    auto const result = full_sort(Representations<double>(scores), 1);
    auto const found = lists<double>(full_sort, scores);
    for (auto const& [split, metrics] :
         {std::pair{"valid", result.valid}, std::pair{"test", result.test}}) {
        auto const& expected = golden["results"][split];
        CHECK(metrics.n_users == expected["users"].size());
        for (auto const& [name, value] : expected["metrics"].items()) {
            CAPTURE(split, name);
            CHECK(metrics[name] == Approx(value.get<double>()).epsilon(1e-12).margin(1e-15));
        }
        for (auto const& [name, value] : expected["metrics_rounded"].items()) {
            CAPTURE(split, name);
            CHECK(metrics.rounded()[name] == value.get<double>());
        }
        for (std::size_t k = 0; k < expected["users"].size(); ++k) {
            auto const user = expected["users"][k].get<std::int32_t>();
            auto const place = std::find(full_sort.users().begin(), full_sort.users().end(), user) -
                               full_sort.users().begin();
            auto const top = expected["top20"][k].get<Ids>();
            auto list = found[static_cast<std::size_t>(place)];
            list.resize(top.size());
            CHECK(list == top);
        }
    }
}
