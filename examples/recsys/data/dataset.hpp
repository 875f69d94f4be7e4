/// Interactions of users with items, split into train, valid and test, and features of the items.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace polder::recsys {

/// One row of a data set: `user` interacted with `item`. Ids start at 0.
struct Interaction {
    std::int32_t user = 0;
    std::int32_t item = 0;
    friend bool operator==(Interaction const&, Interaction const&) = default;
};

/// One modality: (rows x columns) values, row-major, row i belongs to item i. May be empty.
struct FeatureMatrix {
    std::size_t rows = 0;
    std::size_t columns = 0;
    std::vector<float> values;
    std::vector<double> exact = {};  ///< the same unrounded where they are known so, else empty

    bool empty() const { return values.empty(); }
    std::span<float const> row(std::size_t item) const {
        return std::span(values).subspan(item * columns, columns);
    }
};

/// A modality besides the visual and the textual one.
struct FurtherModality {
    std::string name;        ///< "audio"
    FeatureMatrix features;  ///< n_items rows
};

/// What models train on and are measured on. Rows keep the order of their file; a (user, item) pair
/// may occur more than once and then counts more than once, except in graphs and histories.
struct Dataset {
    std::string name;
    std::int32_t n_users = 0;  ///< 1 + the largest user id over all splits
    std::int32_t n_items = 0;  ///< 1 + the largest item id over all splits
    std::vector<Interaction> train, valid, test;
    FeatureMatrix visual, textual;  ///< n_items rows each, or empty
    std::vector<FurtherModality> further = {};

    /// A folder where graphs of the features may be kept from one run to the next; none where empty.
    std::string cache_folder;

    /// Rows of valid and test that were left out because their user has no row in train.
    std::size_t dropped_valid = 0, dropped_test = 0;

    /// The smallest numbers in the file, also of rows that were left out; 0 where the data has ids, which are counted from 0.
    std::int32_t first_user = 0, first_item = 0;
};

/// The items of every user, as one array and offsets into it.
class UserItems {
public:
    UserItems() = default;

    /// Items of `rows` by user, each user's in the order of the rows.
    UserItems(std::span<Interaction const> rows, std::int32_t n_users)
        : offsets_(static_cast<std::size_t>(n_users) + 1), items_(rows.size()) {
        for (auto const& row : rows) ++offsets_[static_cast<std::size_t>(row.user) + 1];
        for (std::size_t user = 1; user < offsets_.size(); ++user)
            offsets_[user] += offsets_[user - 1];
        auto next = offsets_;
        for (auto const& row : rows) items_[next[static_cast<std::size_t>(row.user)]++] = row.item;
    }

    /// The same with each user's items distinct and ascending, so that `contains` works.
    static UserItems distinct(std::span<Interaction const> rows, std::int32_t n_users) {
        UserItems result(rows, n_users);
        std::size_t kept = 0, begin = 0;
        for (std::size_t user = 0; user + 1 < result.offsets_.size(); ++user) {
            auto const first = result.items_.begin() + static_cast<std::ptrdiff_t>(begin);
            auto const last =
                result.items_.begin() + static_cast<std::ptrdiff_t>(result.offsets_[user + 1]);
            begin = result.offsets_[user + 1];
            std::sort(first, last);
            auto const end = std::unique(first, last);
            auto const target = result.items_.begin() + static_cast<std::ptrdiff_t>(kept);
            kept += static_cast<std::size_t>(end - first);
            std::copy(first, end, target);
            result.offsets_[user + 1] = kept;
        }
        result.items_.resize(kept);
        return result;
    }

    std::size_t n_users() const { return offsets_.size() - 1; }
    std::size_t size() const { return items_.size(); }

    std::span<std::int32_t const> operator[](std::int32_t user) const {
        auto const u = static_cast<std::size_t>(user);
        return std::span(items_).subspan(offsets_[u], offsets_[u + 1] - offsets_[u]);
    }

    /// Whether `user` has `item`. For the result of `distinct` only.
    bool contains(std::int32_t user, std::int32_t item) const {
        auto const items = (*this)[user];
        return std::binary_search(items.begin(), items.end(), item);
    }

private:
    std::vector<std::size_t> offsets_ = {0};
    std::vector<std::int32_t> items_;
};

}  // namespace polder::recsys
