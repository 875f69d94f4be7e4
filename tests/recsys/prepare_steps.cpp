// Filters, duplicates, k-core and splits of interactions.
#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "recsys/prepare/interactions.hpp"
#include "recsys/prepare/steps.hpp"
#include "recsys/random.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder::recsys;

struct StepRow {
    std::string user, item;
    double rating = 1, time = 0;
    int label = 0;
};

RawInteractions interactions_of(std::vector<StepRow> const& rows) {
    RawInteractions data;
    for (auto const& row : rows)
        data.rows.push_back({data.users.number(row.user), data.items.number(row.item),
                             static_cast<float>(row.rating), static_cast<std::uint8_t>(row.label),
                             row.time});
    data.n_read = rows.size();
    return data;
}

// "user item" of the rows with a label, in order.
std::vector<std::string> pairs_of(RawInteractions const& data, int label = -1) {
    std::vector<std::string> result;
    for (auto const& row : data.rows)
        if (label < 0 || row.label == label)
            result.push_back(std::string(data.users[row.user]) + " " +
                             std::string(data.items[row.item]));
    return result;
}

using StepPairs = std::vector<std::string>;

// 40 users, 30 items, up to 25 rows each, with some duplicates.
std::vector<StepRow> random_step_rows() {
    Random random(1, "prepare");
    std::vector<StepRow> rows;
    for (int user = 0; user < 40; ++user)
        for (int k = 0; k < 2 + user % 24; ++k)
            rows.push_back({"u" + std::to_string(user),
                            "i" + std::to_string(random.uniform_index(30)),
                            static_cast<double>(random.uniform_index(5) + 1),
                            static_cast<double>(random.uniform_index(100)), 0});
    return rows;
}

}  // namespace

TEST_CASE("rows with low ratings and duplicates are left out", "[prepare]") {
    std::vector<StepRow> const rows{
        {"u", "i", 2, 5}, {"u", "i", 5, 3}, {"u", "i", 4, 9}, {"u", "j", 1, 1}};
    auto data = interactions_of(rows);
    filter_ratings(data, 2);
    CHECK(pairs_of(data) == StepPairs{"u i", "u i", "u i"});
    for (auto const& [which, time, rating] :
         {std::tuple(Duplicates::first, 3.0, 5.0F), std::tuple(Duplicates::last, 9.0, 4.0F),
          std::tuple(Duplicates::once, 3.0, 5.0F)}) {
        auto copy = interactions_of(rows);
        sort_interactions(copy);
        drop_duplicates(copy, which);
        REQUIRE(pairs_of(copy) == StepPairs{"u j", "u i"});
        CHECK(copy.rows[1].time == time);
        CHECK(copy.rows[1].rating == rating);
    }
    auto copy = interactions_of(rows);
    sort_interactions(copy);
    drop_duplicates(copy, Duplicates::all);
    CHECK(copy.rows.size() == 4);
}

TEST_CASE("a k-core is taken until it holds, and is the largest", "[prepare]") {
    // Without c, z has one row, without z c has one, and so on: all goes but a and b with x and y.
    std::vector<StepRow> const rows{{"a", "x"}, {"a", "y"}, {"b", "x"},
                                    {"b", "y"}, {"b", "z"}, {"c", "z"}};
    auto data = interactions_of(rows);
    sort_interactions(data);
    take_k_core(data, {2, 2});
    drop_unused_ids(data);
    CHECK(pairs_of(data) == StepPairs{"a x", "a y", "b x", "b y"});
    CHECK(data.users.size() == 2);
    CHECK(data.items.size() == 2);
    data = interactions_of(rows);
    sort_interactions(data);
    take_k_core(data, {2, 0});
    CHECK(data.rows.size() == 5);
    data = interactions_of(rows);
    sort_interactions(data);
    take_k_core(data, {0, 3});
    CHECK(data.rows.empty());

    data = interactions_of(random_step_rows());
    sort_interactions(data);
    drop_duplicates(data, Duplicates::first);
    take_k_core(data, {5, 6});
    std::map<std::uint32_t, int> of_user, of_item;
    for (auto const& row : data.rows) ++of_user[row.user], ++of_item[row.item];
    REQUIRE_FALSE(data.rows.empty());
    for (auto const& each : of_user) CHECK(each.second >= 5);
    for (auto const& each : of_item) CHECK(each.second >= 6);
}

TEST_CASE("splits by share give each user's part to valid and test", "[prepare]") {
    for (auto const* text : {"random:0.8,0.1,0.1", "time:0.8,0.1,0.1", "leave-one-out"}) {
        CAPTURE(text);
        auto data = interactions_of(random_step_rows());
        sort_interactions(data);
        drop_duplicates(data, Duplicates::first);
        auto const split = parse_split(text);
        split_rows(data, split, 1);
        std::map<std::uint32_t, std::vector<std::size_t>> counts;
        std::map<std::uint32_t, std::vector<double>> latest, earliest;
        for (auto const& row : data.rows) {
            auto& n = counts[row.user];
            n.resize(3);
            ++n[row.label];
            latest[row.user].resize(3, -1);
            earliest[row.user].resize(3, 1e9);
            latest[row.user][row.label] = std::max(latest[row.user][row.label], row.time);
            earliest[row.user][row.label] = std::min(earliest[row.user][row.label], row.time);
        }
        for (auto const& [user, n] : counts) {
            auto const all = n[0] + n[1] + n[2];
            bool const is_share = split.kind != Split::Kind::leave_one_out;
            CHECK(n[2] == (is_share  ? std::max<std::size_t>(all / 10, all > 1 ? 1 : 0)
                           : all > 1 ? 1U
                                     : 0U));
            CHECK(n[1] == (is_share  ? std::max<std::size_t>(all / 10, all > 2 ? 1 : 0)
                           : all > 2 ? 1U
                                     : 0U));
            if (split.kind == Split::Kind::random) continue;
            CHECK(latest[user][0] <= earliest[user][1]);
            CHECK(latest[user][1] <= earliest[user][2]);
            CHECK(latest[user][0] <= earliest[user][2]);
        }
    }
}

TEST_CASE("the order of rows in the files does not show in the data", "[prepare]") {
    auto rows = random_step_rows();
    auto const prepared = [&](std::string const& split) {
        auto data = interactions_of(rows);
        sort_interactions(data);
        drop_duplicates(data, Duplicates::last);
        take_k_core(data, {3, 3});
        drop_unused_ids(data);
        split_rows(data, parse_split(split), 5);
        std::vector<std::string> result;
        for (auto const& row : data.rows)
            result.push_back(std::string(data.users[row.user]) + "=" + std::to_string(row.user) +
                             " " + std::string(data.items[row.item]) + "=" +
                             std::to_string(row.item) + " " + std::to_string(row.time) + " " +
                             std::to_string(row.label));
        return result;
    };
    for (auto const* split : {"random", "time", "leave-one-out"}) {
        CAPTURE(split);
        auto const before = prepared(split);
        std::shuffle(rows.begin(), rows.end(), std::minstd_rand(7));
        CHECK(prepared(split) == before);
    }
}

TEST_CASE("another seed draws another split, and one user's draws do not depend on others",
          "[prepare]") {
    auto rows = random_step_rows();
    auto const test_of = [&](std::uint64_t seed) {
        auto data = interactions_of(rows);
        sort_interactions(data);
        drop_duplicates(data, Duplicates::first);
        split_rows(data, parse_split("random:0.8,0.1,0.1"), seed);
        auto const all = pairs_of(data, 2);
        return std::set<std::string>(all.begin(), all.end());
    };
    auto const one = test_of(1);
    CHECK(one != test_of(2));
    std::erase_if(rows, [](StepRow const& row) { return row.user == "u7"; });
    auto expected = one;
    std::erase_if(expected, [](std::string const& pair) { return pair.starts_with("u7 "); });
    CHECK(test_of(1) == expected);
}

TEST_CASE("a global split is by dates, in seconds and in milliseconds", "[prepare]") {
    for (double const unit : {1.0, 1000.0}) {
        auto data = interactions_of({{"u", "a", 1, 1640995199 * unit},    // 2021-12-31 23:59:59
                                     {"u", "b", 1, 1640995200 * unit},    // 2022-01-01
                                     {"u", "c", 1, 1656633600 * unit}});  // 2022-07-01
        sort_interactions(data);
        split_rows(data, parse_split("global-time:2022-01-01,2022-07-01"), 1);
        CHECK(pairs_of(data, 0) == StepPairs{"u a"});
        CHECK(pairs_of(data, 1) == StepPairs{"u b"});
        CHECK(pairs_of(data, 2) == StepPairs{"u c"});
    }
    auto data = interactions_of({{"u", "a", 1, 5}, {"u", "b", 1, 6}, {"v", "b", 1, 7}});
    sort_interactions(data);
    split_rows(data, parse_split("global-time:6,7"), 1);
    CHECK(pairs_of(data, 2) == StepPairs{"v b"});
    auto const untrained = count_untrained(data);
    CHECK(untrained.users == 1);
    CHECK(untrained.items == 1);
}

TEST_CASE("a pair of training is not evaluated, too", "[prepare]") {
    auto data = interactions_of(
        {{"u", "a", 1, 1, 0}, {"u", "a", 1, 2, 2}, {"u", "b", 1, 3, 1}, {"v", "a", 1, 1, 2}});
    sort_interactions(data);
    split_rows(data, parse_split("given"), 1);
    drop_known_rows(data);
    CHECK(pairs_of(data, 0) == StepPairs{"u a"});
    CHECK(pairs_of(data, 1) == StepPairs{"u b"});
    CHECK(pairs_of(data, 2) == StepPairs{"v a"});
}

TEST_CASE("wrong splits, k-cores and kinds of duplicates are answered with what is right",
          "[prepare]") {
    for (auto const* text :
         {"", "half", "random:1", "random:0.8,0.1,0.2", "random:0,0.5,0.5", "random:a,b,c",
          "leave-one-out:2", "global-time:2022-01-01", "global-time:x,y"}) {
        CAPTURE(text);
        CHECK_THROWS_WITH(parse_split(text), ContainsSubstring("expected random:0.8,0.1,0.1"));
    }
    CHECK_THROWS_WITH(parse_split("global-time:2022-07-01,2022-01-01"),
                      ContainsSubstring("the earlier first"));
    CHECK(parse_k_core("5").items == 5);
    CHECK(parse_k_core("users:5").items == 0);
    CHECK(parse_k_core("users:5,items:3").items == 3);
    CHECK_THROWS_WITH(parse_k_core("0"), ContainsSubstring("expected a whole number from 1"));
    CHECK_THROWS_WITH(parse_k_core("pairs:2"), ContainsSubstring("users:K,items:L"));
    CHECK_THROWS_WITH(parse_duplicates("some"),
                      ContainsSubstring("expected first, last, once or all"));
    auto data = interactions_of({{"u", "a"}});
    data.has_time = false;
    CHECK_THROWS_WITH(split_rows(data, parse_split("time"), 1),
                      ContainsSubstring("there is no column of timestamps"));
    data.has_label = false;
    CHECK_THROWS_WITH(split_rows(data, parse_split("given"), 1),
                      ContainsSubstring("no column x_label"));
}
