/// Graphs of users and items that are thinned out anew in every epoch.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/models/graph.hpp"
#include "recsys/models/noise.hpp"
#include "recsys/random.hpp"
#include "recsys/tape/csr.hpp"

namespace polder::recsys {

/// `n` different indices into `weights`, ascending, drawn one after the other with probabilities proportional
/// to the weights of those that are left: the n smallest X / weight, X ~ Exp(1).
/// Efraimidis, Spirakis: Weighted random sampling with a reservoir, 2006.
inline std::vector<std::size_t> sample_without_replacement(std::vector<double> const& weights,
                                                           std::size_t n, Random random) {
    std::vector<std::pair<double, std::size_t>> keys;
    keys.reserve(weights.size());
    for (const double weight : weights)
        keys.emplace_back(-std::log1p(-random.uniform()) / weight, keys.size());
    std::nth_element(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(n), keys.end());
    std::vector<std::size_t> result(n);
    std::transform(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(n), result.begin(),
                   [](auto const& key) { return key.second; });
    std::sort(result.begin(), result.end());
    return result;
}

/// Pruning of edges as FREEDOM and LayerGCN do it. Of the |E| distinct train pairs, in the order of
/// their first rows, floor(|E| (1 - rate)) are kept, and the graph is normalised by what they leave of
/// the degrees (normalised_interactions).
///
/// Zhou, Shen: A Tale of Two Graphs: Freezing and Denoising Graph Structures for Multimodal
/// Recommendation, MM 2023, section 3.2.
class EdgePruning {
public:
    /// How likely an edge is to be kept: all the same, or by its weight
    /// (deg(u) + 1e-7)^(-1/2) (deg(i) + 1e-7)^(-1/2) in the full graph, so that edges between popular nodes
    /// are pruned more often.
    enum class Chance { uniform, by_weight };

    explicit EdgePruning(Dataset const& data) {
        edges_.n_users = data.n_users;
        edges_.n_items = data.n_items;
        std::unordered_set<std::uint64_t> seen;
        for (auto const& row : data.train)
            if (seen.insert(static_cast<std::uint64_t>(row.user) << 32 |
                            static_cast<std::uint32_t>(row.item))
                    .second)
                edges_.train.push_back(row);

        auto const graph = normalised_interactions<double>(edges_);
        for (auto const& edge : edges_.train) {
            auto const row = graph.offsets.begin() + edge.user;
            auto const begin = graph.columns.begin();
            auto const at =
                std::lower_bound(begin + static_cast<std::ptrdiff_t>(row[0]),
                                 begin + static_cast<std::ptrdiff_t>(row[1]), edge.item);
            weights_.push_back(graph.values[static_cast<std::size_t>(at - begin)]);
        }
    }

    /// The weight of every edge.
    std::vector<double> const& weights() const { return weights_; }

    /// The graph of this epoch, (n_users x n_items). Its edges are the random object "kept_edges": the
    /// indices of those that are kept.
    template <class T, class System>
    Csr<T> prune(Noise<T, System> const& noise, double rate, Chance chance) const {
        Dataset kept;
        kept.n_users = edges_.n_users;
        kept.n_items = edges_.n_items;
        if (auto const* indices = noise.fixed("kept_edges")) {
            for (const double index : *indices) {
                if (!(index >= 0 && index < static_cast<double>(edges_.train.size())))
                    throw std::invalid_argument("noise: 'kept_edges' has " + std::to_string(index) +
                                                ", expected 0 to " +
                                                std::to_string(edges_.train.size() - 1));
                kept.train.push_back(edges_.train[static_cast<std::size_t>(index)]);
            }
        } else {
            auto const n =
                static_cast<std::size_t>(static_cast<double>(edges_.train.size()) * (1 - rate));
            auto const equal = std::vector<double>(weights_.size(), 1.0);
            for (const std::size_t index :
                 sample_without_replacement(chance == Chance::by_weight ? weights_ : equal, n,
                                            noise.of_epoch("kept_edges")))
                kept.train.push_back(edges_.train[index]);
        }
        return normalised_interactions<T>(kept);
    }

private:
    Dataset edges_;  // the distinct train pairs
    std::vector<double> weights_;
};

}  // namespace polder::recsys
