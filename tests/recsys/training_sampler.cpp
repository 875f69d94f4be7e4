#include "recsys/training/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/data/synthetic.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder::recsys;
using Pairs = std::vector<std::pair<std::int32_t, std::int32_t>>;
using Ids = std::vector<std::int32_t>;
constexpr auto first = polder::Batch::first, second = polder::Batch::second;

// 5 users, items 0..9 of which 8 and 9 are in no train row.
Dataset toy() {
    Dataset data;
    data.name = "toy";
    data.n_users = 5;
    data.n_items = 10;
    for (std::int32_t user = 0; user < 5; ++user)
        for (std::int32_t k = 0; k < 4; ++k) data.train.push_back({user, (2 * user + k) % 8});
    data.valid = {{0, 8}};
    data.test = {{0, 9}};
    return data;
}

Ids copy(std::span<std::int32_t const> ids) { return {ids.begin(), ids.end()}; }

Pairs epoch_rows(Sampler& sampler, polder::Batch role, int epoch) {
    Pairs rows;
    for (std::size_t k = 0; k < sampler.n_batches(); ++k) {
        auto const batch = sampler.batch(role, epoch, k);
        for (std::size_t b = 0; b < batch.users.size(); ++b)
            rows.emplace_back(batch.users[b], batch.positives[b]);
    }
    return rows;
}

}  // namespace

TEST_CASE("an epoch has every train row once, the last batch may be short", "[sampler]") {
    auto const data = toy();
    Sampler sampler(data, 8, 1);
    REQUIRE(sampler.n_batches() == 3);
    CHECK(sampler.batch(first, 0, 0).users.size() == 8);
    CHECK(sampler.batch(first, 0, 2).users.size() == 4);
    Pairs expected;
    for (auto const& row : data.train) expected.emplace_back(row.user, row.item);
    std::sort(expected.begin(), expected.end());
    auto const in_order = epoch_rows(sampler, first, 0);
    auto const other_epoch = epoch_rows(sampler, first, 1);
    auto const other_role = epoch_rows(sampler, second, 0);
    CHECK(in_order != other_epoch);
    CHECK(in_order != other_role);
    for (auto rows : {in_order, other_epoch, other_role}) {
        std::sort(rows.begin(), rows.end());
        CHECK(rows == expected);
    }
}

TEST_CASE("negatives are train items outside the user's history, all of them alike", "[sampler]") {
    auto const data = toy();
    auto const history = UserItems::distinct(data.train, data.n_users);
    Sampler sampler(data, 20, 1);
    std::map<std::pair<std::int32_t, std::int32_t>, int> counts;
    for (int epoch = 0; epoch < 2000; ++epoch) {
        auto const batch = sampler.batch(first, epoch, 0);
        for (std::size_t b = 0; b < batch.users.size(); ++b) {
            REQUIRE(batch.negatives[b] < 8);
            REQUIRE_FALSE(history.contains(batch.users[b], batch.negatives[b]));
            ++counts[{batch.users[b], batch.negatives[b]}];
        }
    }
    // Each user has 4 rows and 4 possible negatives: 2000 draws of each, deviation 39.
    CHECK(counts.size() == 20);
    for (auto const& [pair, count] : counts) CHECK(std::abs(count - 2000) < 200);
}

TEST_CASE("a batch is a function of seed, epoch and number", "[sampler]") {
    auto const data = generate_synthetic(synthetic_options("tiny"));
    Sampler in_order(data, 100, 3), out_of_order(data, 100, 3), other_seed(data, 100, 4);
    auto const last = in_order.n_batches() - 1;
    for (int epoch = 0; epoch < 3; ++epoch)
        for (std::size_t k = 0; k <= last; ++k) in_order.batch(first, epoch, k);
    out_of_order.batch(second, 7, 1);
    auto const expected = in_order.batch(first, 2, last);
    auto const found = out_of_order.batch(first, 2, last);
    CHECK(copy(found.users) == copy(expected.users));
    CHECK(copy(found.positives) == copy(expected.positives));
    CHECK(copy(found.negatives) == copy(expected.negatives));
    CHECK(copy(other_seed.batch(first, 2, last).users) != copy(expected.users));
}

TEST_CASE("asked twice, a batch stays the same, whatever the other role does", "[sampler]") {
    auto const data = toy();
    Sampler sampler(data, 8, 1);
    auto const negatives = copy(sampler.batch(first, 0, 1).negatives);
    sampler.batch(second, 0, 1);
    CHECK(copy(sampler.batch(first, 0, 1).negatives) == negatives);
}

TEST_CASE("with half the steps both roles together have every row once", "[sampler]") {
    auto const data = toy();  // 20 rows
    Sampler whole(data, 5, 1), half(data, 5, 1, true), odd(data, 8, 1, true);
    REQUIRE(half.n_batches() == 2);
    for (std::size_t k = 0; k < 4; ++k) {
        auto const expected = whole.batch(first, 3, k);
        auto const found = half.batch(k % 2 == 0 ? first : second, 3, k / 2);
        CHECK(copy(found.users) == copy(expected.users));
        CHECK(copy(found.positives) == copy(expected.positives));
        CHECK(copy(found.negatives) == copy(expected.negatives));
    }
    // 3 batches: the last step takes the first one again.
    REQUIRE(odd.n_batches() == 2);
    auto const again = copy(odd.batch(second, 3, 1).positives);
    CHECK(again == copy(odd.batch(first, 3, 0).positives));
    CHECK(odd.batch(first, 3, 1).users.size() == 4);
}

TEST_CASE("data without possible batches is refused", "[sampler]") {
    auto data = toy();
    CHECK_THROWS_WITH(Sampler(data, 0, 1), ContainsSubstring("batch size = 0"));
    auto all = data;
    for (std::int32_t user = 0; user < all.n_users; ++user)
        for (std::int32_t item = 0; item < 8; ++item) all.train.push_back({user, item});
    CHECK_THROWS_WITH(Sampler(all, 8, 1), ContainsSubstring("every user has all items"));
    data.train.clear();
    CHECK_THROWS_WITH(Sampler(data, 8, 1), ContainsSubstring("'toy' has no training rows"));
}

TEST_CASE("a user who has all items is left out where negatives are drawn", "[sampler]") {
    auto data = toy();
    auto const before = data.train.size();
    auto const others = static_cast<std::size_t>(
        std::count_if(data.train.begin(), data.train.end(),
                      [](Interaction const& row) { return row.user != 3; }));
    for (std::int32_t item = 0; item < 8; ++item) data.train.push_back({3, item});
    CHECK(users_without_negatives(data) == std::vector<std::int32_t>{3});
    auto const n_rows = [](Sampler& sampler) {
        std::size_t n = 0;
        for (std::size_t k = 0; k < sampler.n_batches(); ++k)
            n += sampler.batch(first, 0, k).users.size();
        return n;
    };
    Sampler drawing(data, 7, 1), without(data, 7, 1, false, false);
    CHECK(n_rows(drawing) == others);
    for (std::size_t k = 0; k < drawing.n_batches(); ++k)
        for (auto const user : drawing.batch(first, 1, k).users) CHECK(user != 3);
    CHECK(n_rows(without) == before + 8);  // and it ends, though user 3 has no negative
}
