/// The graph of users who have items in common.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <polder/engine/parallel.hpp>

#include "recsys/data/dataset.hpp"

namespace polder::recsys {

/// A user and how many items they have in common with another.
struct CommonItems {
    std::int32_t user;
    std::int32_t count;
};

/// For every user a the others b with |I_a and I_b| > 0, the largest counts first and lower ids first among
/// equal ones, at most `most` of them. `history` is UserItems::distinct.
inline std::vector<std::vector<CommonItems>>
common_items(UserItems const& history, std::int32_t n_items, std::size_t most, int threads) {
    const std::size_t n_users = history.n_users();
    std::vector<std::vector<std::int32_t>> users_of(static_cast<std::size_t>(n_items));
    for (std::size_t user = 0; user < n_users; ++user)
        for (const std::int32_t item : history[static_cast<std::int32_t>(user)])
            users_of[static_cast<std::size_t>(item)].push_back(static_cast<std::int32_t>(user));

    std::vector<std::vector<CommonItems>> result(n_users);
    const std::size_t parts = std::min<std::size_t>(n_users, 64);
    parallel_for(parts, threads, [&](std::size_t part) {
        std::vector<std::int32_t> count(n_users), seen;
        for (std::size_t a = n_users * part / parts; a < n_users * (part + 1) / parts; ++a) {
            for (const std::int32_t item : history[static_cast<std::int32_t>(a)]) {
                for (const std::int32_t b : users_of[static_cast<std::size_t>(item)]) {
                    if (static_cast<std::size_t>(b) == a) continue;
                    if (count[static_cast<std::size_t>(b)]++ == 0) seen.push_back(b);
                }
            }
            auto& neighbours = result[a];
            for (const std::int32_t b : seen)
                neighbours.push_back({b, count[static_cast<std::size_t>(b)]});
            const std::size_t kept = std::min(most, neighbours.size());
            std::partial_sort(neighbours.begin(),
                              neighbours.begin() + static_cast<std::ptrdiff_t>(kept),
                              neighbours.end(), [](CommonItems const& x, CommonItems const& y) {
                                  return x.count != y.count ? x.count > y.count : x.user < y.user;
                              });
            neighbours.resize(kept);
            neighbours.shrink_to_fit();
            for (const std::int32_t b : seen) count[static_cast<std::size_t>(b)] = 0;
            seen.clear();
        }
    });
    return result;
}

}  // namespace polder::recsys
