/// The loss of a trained model on pairs that are the same for every run on a data set.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/models/model.hpp"
#include "recsys/random.hpp"

namespace polder::recsys {

/// The mean of log(1 + exp(s(u, j) - s(u, i))) over the rows (u, i) of a split. Every row has one item j, drawn once for
/// the data set: uniform over the distinct items of train that are not in the user's train history. Rows of users who have all
/// of these items are left out.
struct PairLoss {
    double train = std::numeric_limits<double>::quiet_NaN();
    double valid = std::numeric_limits<double>::quiet_NaN();

    /// The generalisation gap: how much larger the loss is on pairs that were not trained on.
    double gap() const { return valid - train; }
};

/// With the scores s(u, i) = users.row(u) . items.row(i). NaN for a split without rows.
template <class T>
PairLoss pair_loss(Dataset const& data, Representations<T> const& r) {
    auto const history = UserItems::distinct(data.train, data.n_users);
    std::vector<bool> occurs(static_cast<std::size_t>(data.n_items));
    for (auto const& row : data.train) occurs[static_cast<std::size_t>(row.item)] = true;
    std::vector<std::int32_t> items;
    for (std::int32_t item = 0; item < data.n_items; ++item)
        if (occurs[static_cast<std::size_t>(item)]) items.push_back(item);

    auto const score = [&](std::int32_t user, std::int32_t item) {
        double sum = 0;
        for (std::size_t k = 0; k < r.users.cols; ++k)
            sum += static_cast<double>(r.users(static_cast<std::size_t>(user), k)) *
                   static_cast<double>(r.items(static_cast<std::size_t>(item), k));
        return sum;
    };
    auto const mean = [&](std::span<Interaction const> rows, int split) {
        Random random(0, "fixed pairs", split);
        double sum = 0;
        std::size_t counted = 0;
        for (auto const& [user, item] : rows) {
            if (history[user].size() == items.size()) continue;
            ++counted;
            std::int32_t other = 0;
            do other = items[random.uniform_index(items.size())];
            while (history.contains(user, other));
            double const x = score(user, other) - score(user, item);
            sum += x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
        }
        return sum / static_cast<double>(counted);
    };
    return {mean(data.train, 0), mean(data.valid, 1)};
}

}  // namespace polder::recsys
