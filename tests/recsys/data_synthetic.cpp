#include "recsys/data/synthetic.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/data/describe.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder::recsys;

SyntheticOptions sized(std::int32_t users, std::int32_t items, std::int64_t interactions) {
    SyntheticOptions options;
    options.n_users = users;
    options.n_items = items;
    options.n_interactions = interactions;
    return options;
}

std::size_t n_rows(Dataset const& data) {
    return data.train.size() + data.valid.size() + data.test.size();
}

double cosine(std::span<float const> a, std::span<float const> b) {
    double ab = 0, aa = 0, bb = 0;
    for (std::size_t k = 0; k < a.size(); ++k) {
        ab += static_cast<double>(a[k]) * b[k];
        aa += static_cast<double>(a[k]) * a[k];
        bb += static_cast<double>(b[k]) * b[k];
    }
    return ab / std::sqrt(aa * bb);
}

}  // namespace

TEST_CASE("synthetic data has exactly the sizes that were asked for", "[data][synthetic]") {
    auto const [users, items, interactions] =
        GENERATE(std::array{300, 200, 4000}, std::array{50, 40, 150}, std::array{50, 40, 1000},
                 std::array{2, 6, 6}, std::array{100, 1000, 450}, std::array{7, 100, 350});
    CAPTURE(users, items, interactions);
    auto const data = generate_synthetic(sized(users, items, interactions));
    auto const summary = describe(data);
    CHECK(data.n_users == users);
    CHECK(data.n_items == items);
    CHECK(n_rows(data) == static_cast<std::size_t>(interactions));
    CHECK(summary.n_duplicate_rows == 0);
    CHECK(summary.n_users_in_train == static_cast<std::size_t>(users));
    CHECK(summary.rows_per_user.quantiles.front() >=
          static_cast<std::size_t>(std::min(5, interactions / users)));
    CHECK(summary.rows_per_user.quantiles.back() <= static_cast<std::size_t>(items / 2));
}

TEST_CASE("synthetic:baby is a 5-core set of the published size", "[data][synthetic][numbers]") {
    auto const data = generate_synthetic(synthetic_options("baby"));
    auto const summary = describe(data);
    CHECK(data.name == "synthetic:baby");
    CHECK(data.n_users == 19'445);
    CHECK(data.n_items == 7'050);
    CHECK(n_rows(data) == 160'792);
    CHECK(summary.rows_per_user.quantiles.front() >= 5);
    CHECK(summary.rows_per_item.quantiles.front() >= 5);
    // Popularity has a long tail: the top item has many times the median's users.
    CHECK(summary.rows_per_item.quantiles.back() > 20 * summary.rows_per_item.quantiles[2]);
}

TEST_CASE("synthetic splits obey the rule per user", "[data][synthetic]") {
    auto const data = generate_synthetic(sized(200, 150, 3000));
    UserItems const train(data.train, 200), valid(data.valid, 200), test(data.test, 200);
    for (std::int32_t user = 0; user < 200; ++user) {
        auto const n = train[user].size() + valid[user].size() + test[user].size();
        CAPTURE(user, n);
        auto const held_out = n < 10 ? 2 : n / 5;
        CHECK(valid[user].size() == held_out / 2);
        CHECK(test[user].size() == held_out - held_out / 2);
    }
}

TEST_CASE("synthetic data depends on its seed alone", "[data][synthetic]") {
    auto options = sized(100, 80, 1000);
    auto const a = generate_synthetic(options), b = generate_synthetic(options);
    CHECK(a.train == b.train);
    CHECK(a.test == b.test);
    CHECK(a.visual.values == b.visual.values);
    options.seed = 2;
    auto const c = generate_synthetic(options);
    CHECK(a.train != c.train);
    CHECK(a.textual.values != c.textual.values);
}

TEST_CASE("synthetic features show what users like together", "[data][synthetic]") {
    auto const data = generate_synthetic(synthetic_options("small"));
    REQUIRE(data.visual.rows == 1000);
    REQUIRE(data.textual.rows == 1000);
    CHECK(data.visual.columns == 64);
    CHECK(data.textual.columns == 32);
    auto const items = UserItems::distinct(data.train, data.n_users);
    for (auto const* features : {&data.visual, &data.textual}) {
        // Items of one user are alike, items of different users are not.
        double same = 0, other = 0;
        int n = 0;
        for (std::int32_t user = 0; user + 1 < data.n_users; ++user) {
            auto const mine = items[user], theirs = items[user + 1];
            if (mine.size() < 2) continue;
            auto const row = [&](std::int32_t item) {
                return features->row(static_cast<std::size_t>(item));
            };
            same += cosine(row(mine.front()), row(mine.back()));
            other += cosine(row(mine.front()), row(theirs.back()));
            ++n;
        }
        CHECK(same / n > 0.1);
        CHECK(std::abs(other / n) < 0.03);
    }
}

TEST_CASE("sizes that cannot be are refused with the reason", "[data][synthetic]") {
    CHECK_THROWS_WITH(generate_synthetic(sized(0, 10, 100)),
                      ContainsSubstring("users = 0, expected at least 1"));
    CHECK_THROWS_WITH(generate_synthetic(sized(10, 5, 100)),
                      ContainsSubstring("items = 5, expected at least 6"));
    CHECK_THROWS_WITH(generate_synthetic(sized(10, 10, 29)),
                      ContainsSubstring("interactions = 29, expected at least 30"));
    CHECK_THROWS_WITH(generate_synthetic(sized(10, 10, 51)),
                      ContainsSubstring("interactions = 51, expected at most 50"));
    CHECK_THROWS_WITH(synthetic_options("huge"),
                      ContainsSubstring("known: tiny, small, baby, sports"));
}
