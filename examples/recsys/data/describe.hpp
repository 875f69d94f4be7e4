/// What a data set is like, in numbers.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include "recsys/data/dataset.hpp"

namespace polder::recsys {

/// The shares of the quantiles in a DegreeSummary; 0 is the minimum, 1 the maximum.
inline constexpr std::array<std::pair<std::string_view, double>, 7> degree_quantiles{
    {{"min", 0.0},
     {"25%", 0.25},
     {"median", 0.5},
     {"75%", 0.75},
     {"90%", 0.9},
     {"99%", 0.99},
     {"max", 1.0}}};

/// Numbers of rows per user or per item.
struct DegreeSummary {
    double mean = 0;
    /// Quantile q is entry floor(q (n - 1)), from 0, of the n numbers in ascending order.
    std::array<std::size_t, degree_quantiles.size()> quantiles{};
};

/// What `describe` counts. Rows are those kept, without the dropped ones.
struct DatasetSummary {
    std::size_t n_users = 0, n_items = 0;
    std::size_t n_train = 0, n_valid = 0, n_test = 0;
    std::size_t n_distinct_pairs = 0;  ///< over all splits
    std::size_t n_duplicate_rows = 0;  ///< rows that repeat an earlier pair
    std::size_t n_users_in_train = 0, n_items_in_train = 0;
    std::size_t n_users_in_valid = 0, n_users_in_test = 0;
    std::size_t dropped_valid = 0, dropped_test = 0;  ///< rows of cold users
    double density = 0;                               ///< distinct pairs / (users * items)
    DegreeSummary rows_per_user, rows_per_item;  ///< over all splits, ids without rows included
};

namespace detail {

inline DegreeSummary summarise(std::vector<std::size_t> degrees) {
    DegreeSummary summary;
    if (degrees.empty()) return summary;
    std::sort(degrees.begin(), degrees.end());
    auto const n = static_cast<double>(degrees.size());
    summary.mean =
        static_cast<double>(std::accumulate(degrees.begin(), degrees.end(), std::size_t{0})) / n;
    for (std::size_t k = 0; k < degree_quantiles.size(); ++k)
        summary.quantiles[k] =
            degrees[static_cast<std::size_t>(degree_quantiles[k].second * (n - 1))];
    return summary;
}

inline std::size_t count_present(std::vector<Interaction> const& rows, std::size_t n_ids,
                                 std::int32_t Interaction::*id) {
    std::vector<bool> is_present(n_ids);
    for (auto const& row : rows) is_present[static_cast<std::size_t>(row.*id)] = true;
    return static_cast<std::size_t>(std::count(is_present.begin(), is_present.end(), true));
}

}  // namespace detail

/// Counts everything a DatasetSummary has.
inline DatasetSummary describe(Dataset const& data) {
    DatasetSummary summary;
    summary.n_users = static_cast<std::size_t>(data.n_users);
    summary.n_items = static_cast<std::size_t>(data.n_items);
    summary.n_train = data.train.size();
    summary.n_valid = data.valid.size();
    summary.n_test = data.test.size();
    summary.dropped_valid = data.dropped_valid;
    summary.dropped_test = data.dropped_test;
    summary.n_users_in_train =
        detail::count_present(data.train, summary.n_users, &Interaction::user);
    summary.n_items_in_train =
        detail::count_present(data.train, summary.n_items, &Interaction::item);
    summary.n_users_in_valid =
        detail::count_present(data.valid, summary.n_users, &Interaction::user);
    summary.n_users_in_test = detail::count_present(data.test, summary.n_users, &Interaction::user);

    std::vector<Interaction> all = data.train;
    all.insert(all.end(), data.valid.begin(), data.valid.end());
    all.insert(all.end(), data.test.begin(), data.test.end());
    summary.n_distinct_pairs = UserItems::distinct(all, data.n_users).size();
    summary.n_duplicate_rows = all.size() - summary.n_distinct_pairs;
    summary.density = static_cast<double>(summary.n_distinct_pairs) /
                      (static_cast<double>(summary.n_users) * static_cast<double>(summary.n_items));

    std::vector<std::size_t> per_user(summary.n_users), per_item(summary.n_items);
    for (auto const& row : all) {
        ++per_user[static_cast<std::size_t>(row.user)];
        ++per_item[static_cast<std::size_t>(row.item)];
    }
    summary.rows_per_user = detail::summarise(std::move(per_user));
    summary.rows_per_item = detail::summarise(std::move(per_item));
    return summary;
}

}  // namespace polder::recsys
