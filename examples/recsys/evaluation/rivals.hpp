/// Recommenders without parameters: what a model has to be better than.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "recsys/data/dataset.hpp"

namespace polder::recsys {

/// The most popular items: score(u, i) = the number of training rows of item i.
class Popularity {
public:
    explicit Popularity(Dataset const& data) : rows_(static_cast<std::size_t>(data.n_items)) {
        for (auto const& row : data.train) rows_[static_cast<std::size_t>(row.item)] += 1;
    }
    /// Writes the scores of all items for a user.
    void operator()(std::int32_t, std::span<float> scores) const {
        std::copy(rows_.begin(), rows_.end(), scores.begin());
    }

private:
    std::vector<float> rows_;
};

/// Items that are like those that the user has: with U_i the users of item i in training,
///
///     score(u, i) = sum over j in N_k(i), j an item of u, of s(i, j),    s(i, j) = |U_i & U_j| / (sqrt(|U_i| |U_j|) + shrink),
///
/// N_k(i) being the k items with the largest s(i, .), of equal ones the lower. Sarwar et al. 2001; shrink as in Ferrari Dacrema
/// et al. 2019.
class ItemNeighbours {
public:
    struct Options {
        std::size_t k = 50;  ///< >= 1
        double shrink = 0;   ///< >= 0
    };

    ItemNeighbours(Dataset const& data, Options options)
        : items_(UserItems::distinct(data.train, data.n_users)),
          offsets_(static_cast<std::size_t>(data.n_items) + 1) {
        auto const users = users_of_items(data);
        auto const n = static_cast<std::size_t>(data.n_items);
        // Row i: i's neighbours. They are kept by neighbour j, since a user's items are what is looked up.
        std::vector<std::vector<std::pair<std::int32_t, float>>> by_neighbour(n);
        std::vector<std::int32_t> common(n), touched;
        std::vector<std::pair<double, std::int32_t>> found;
        for (std::size_t i = 0; i < n; ++i) {
            touched.clear();
            auto const item = static_cast<std::int32_t>(i);
            for (auto const user : users[item])
                for (auto const j : items_[user])
                    if (j != item && common[static_cast<std::size_t>(j)]++ == 0)
                        touched.push_back(j);
            found.clear();
            for (auto const j : touched) {
                auto& together = common[static_cast<std::size_t>(j)];
                double const product =
                    static_cast<double>(users[item].size()) * static_cast<double>(users[j].size());
                found.push_back({-together / (std::sqrt(product) + options.shrink), j});
                together = 0;
            }
            auto const kept = std::min(options.k, found.size());
            std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(kept),
                              found.end());
            for (std::size_t r = 0; r < kept; ++r)
                by_neighbour[static_cast<std::size_t>(found[r].second)].push_back(
                    {item, static_cast<float>(-found[r].first)});
        }
        for (std::size_t j = 0; j < n; ++j) {
            offsets_[j + 1] = offsets_[j] + by_neighbour[j].size();
            similar_.insert(similar_.end(), by_neighbour[j].begin(), by_neighbour[j].end());
        }
    }
    /// Writes the scores of all items for a user.
    void operator()(std::int32_t user, std::span<float> scores) const {
        std::fill(scores.begin(), scores.end(), 0.0F);
        for (auto const j : items_[user])
            for (auto k = offsets_[static_cast<std::size_t>(j)];
                 k < offsets_[static_cast<std::size_t>(j) + 1]; ++k)
                scores[static_cast<std::size_t>(similar_[k].first)] += similar_[k].second;
    }

private:
    static UserItems users_of_items(Dataset const& data) {
        std::vector<Interaction> turned(data.train.size());
        std::transform(data.train.begin(), data.train.end(), turned.begin(),
                       [](Interaction const& row) {
                           return Interaction{row.item, row.user};
                       });
        return UserItems::distinct(turned, data.n_items);
    }

    UserItems items_;
    std::vector<std::size_t> offsets_;
    std::vector<std::pair<std::int32_t, float>> similar_;
};

}  // namespace polder::recsys
