/// Ranking metrics of top-50 lists, by the definitions of MMRec.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/names.hpp"
#include "recsys/ranks.hpp"

namespace polder::recsys {

/// The list lengths K at which every metric is taken.
inline constexpr std::array<std::size_t, 4> cutoffs{5, 10, 20, 50};

/// Length of the list that serves all cutoffs.
inline constexpr std::size_t list_length = cutoffs.back();

/// `value` rounded to 4 decimals, halves to even, as NumPy does it.
inline double round_to_4_decimals(double value) { return std::nearbyint(value * 1e4) / 1e4; }

/// All metrics at all cutoffs: of one user, or means over users. Means over no users are not-a-number.
struct Metrics {
    std::array<double, cutoffs.size()> recall{}, precision{}, ndcg{}, map{};
    std::size_t n_users = 0;  ///< how many users a mean is over

    friend bool operator==(Metrics const&, Metrics const&) = default;

    /// Calls f(name, value) for each: "recall@5", ..., "map@50". `value` is a reference.
    template <class Self, class F>
    static void visit(Self& self, F&& f) {
        auto const each = [&](std::string_view measure, auto& values) {
            for (std::size_t k = 0; k < cutoffs.size(); ++k)
                f(std::string(measure) + "@" + std::to_string(cutoffs[k]), values[k]);
        };
        each("recall", self.recall);
        each("precision", self.precision);
        each("ndcg", self.ndcg);
        each("map", self.map);
    }

    /// The names, in the order of `visit`.
    static std::vector<std::string> names() {
        std::vector<std::string> result;
        Metrics const metrics;
        visit(metrics, [&](std::string const& name, double) { result.push_back(name); });
        return result;
    }

    /// The value of a name such as "recall@20". Throws std::invalid_argument that lists the names.
    double operator[](std::string_view name) const {
        std::optional<double> result;
        visit(*this, [&](std::string const& each, double value) {
            if (each == name) result = value;
        });
        if (!result) refuse_name("metric", name, names());
        return *result;
    }

    /// Every value rounded to 4 decimals.
    Metrics rounded() const {
        Metrics result = *this;
        visit(result,
              [](std::string const&, double& value) { value = round_to_4_decimals(value); });
        return result;
    }
};

/// Metrics of one user at one cutoff.
struct MetricsAtK {
    double recall = 0, precision = 0, ndcg = 0, map = 0;
};

/// h_r: whether rank r (from 1) of the list is a hit; m > 0: the user's rows in the split;
/// H_K = sum_{r <= K} h_r. Ranks beyond the end of the list are misses.
///
///     Recall@K = H_K / m                    Precision@K = H_K / K
///     NDCG@K   = sum_{r <= K} h_r / log2(r + 1)  /  sum_{r <= min(K, m)} 1 / log2(r + 1)
///     MAP@K    = sum_{r <= K} h_r H_r / r  /  min(K, m)
inline MetricsAtK metrics_at(std::span<bool const> hits, std::size_t m, std::size_t K) {
    double n_hits = 0, gain = 0, precisions = 0, ideal_gain = 0;
    for (std::size_t rank = 1; rank <= std::min(K, hits.size()); ++rank)
        if (hits[rank - 1]) {
            n_hits += 1;
            gain += 1 / std::log2(static_cast<double>(rank + 1));
            precisions += n_hits / static_cast<double>(rank);
        }
    if (n_hits == 0) return {};
    auto const relevant = std::min(K, m);
    for (std::size_t rank = 1; rank <= relevant; ++rank)
        ideal_gain += 1 / std::log2(static_cast<double>(rank + 1));
    return {n_hits / static_cast<double>(m), n_hits / static_cast<double>(K), gain / ideal_gain,
            precisions / static_cast<double>(relevant)};
}

/// What one user's list hit in one split: all metrics follow from it.
struct UserHits {
    std::int32_t user = 0;
    std::size_t n_rows = 0;  ///< m, the user's rows in the split
    std::vector<int> ranks;  ///< of the hits, from 1, ascending

    friend bool operator==(UserHits const&, UserHits const&) = default;
};

/// The hits of a list of items, best first. `relevant`: the user's rows in the split.
inline UserHits hits_of_list(std::int32_t user, std::span<std::int32_t const> list,
                             std::span<std::int32_t const> relevant) {
    UserHits hits{user, relevant.size(), {}};
    for (std::size_t rank = 0; rank < std::min(list.size(), list_length); ++rank)
        if (std::find(relevant.begin(), relevant.end(), list[rank]) != relevant.end())
            hits.ranks.push_back(static_cast<int>(rank) + 1);
    return hits;
}

/// Metrics of one user. Ranks that are not in [1, list_length] are left out.
inline Metrics metrics_of_hits(UserHits const& user) {
    std::array<bool, list_length> hits{};
    for (int const rank : user.ranks)
        if (rank >= 1 && static_cast<std::size_t>(rank) <= list_length)
            hits[static_cast<std::size_t>(rank) - 1] = true;
    Metrics result;
    result.n_users = 1;
    for (std::size_t k = 0; k < cutoffs.size(); ++k) {
        auto const at = metrics_at(hits, user.n_rows, cutoffs[k]);
        result.recall[k] = at.recall;
        result.precision[k] = at.precision;
        result.ndcg[k] = at.ndcg;
        result.map[k] = at.map;
    }
    return result;
}

/// Metrics of one user's list of items, best first. `relevant`: the user's rows in the split.
inline Metrics metrics_of_list(std::span<std::int32_t const> list,
                               std::span<std::int32_t const> relevant) {
    return metrics_of_hits(hits_of_list(0, list, relevant));
}

/// Metrics that were not measured: all not-a-number.
inline Metrics not_measured() {
    Metrics result;
    Metrics::visit(result, [](std::string const&, double& value) {
        value = std::numeric_limits<double>::quiet_NaN();
    });
    return result;
}

/// The mean of each metric over users; not measured for no users. `ranks`: each has some of the users.
inline Metrics mean(std::span<Metrics const> users, Ranks const& ranks = {}) {
    Metrics result;
    for (auto const& user : users)
        for (std::size_t k = 0; k < cutoffs.size(); ++k) {
            result.recall[k] += user.recall[k];
            result.precision[k] += user.precision[k];
            result.ndcg[k] += user.ndcg[k];
            result.map[k] += user.map[k];
        }
    std::vector<double> sums{static_cast<double>(users.size())};
    Metrics::visit(result, [&](std::string const&, double value) { sums.push_back(value); });
    sum(ranks, sums);
    if (sums.front() == 0) return not_measured();
    result.n_users = static_cast<std::size_t>(sums.front());
    auto next = sums.begin();
    Metrics::visit(result,
                   [&](std::string const&, double& value) { value = *++next / sums.front(); });
    return result;
}

}  // namespace polder::recsys
