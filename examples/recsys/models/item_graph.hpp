/// Graphs of items with similar features.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <polder/blocks/arena.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/models/features.hpp"
#include "recsys/models/graph_cache.hpp"
#include "recsys/tape/csr.hpp"

namespace polder::recsys {

/// The k nearest neighbours of every row of X (n x columns) by cosine:
///
///     C_ij = X_i . X_j / (|X_i| |X_j|),     0 where a row is 0
///
/// Row i of the result (n x n) has the k largest C_ij at their places j, the lowest j first among equal
/// ones; i itself is a candidate, with C_ii = 1 up to rounding. Throws std::invalid_argument unless
/// 1 <= k <= n.
///
/// Every pair is computed once, so that C_ij = C_ji, in tiles of one size, so that equal rows have
/// equal cosines and the result is the same on any number of threads. T: float or double.
template <class T>
Csr<T> nearest_neighbours(MatrixView<T const> x, int k, int threads);

/// w_a A + w_c C, with an entry wherever one of them has one.
template <class T>
Csr<T> weighted_sum(T w_a, Csr<T> const& a, T w_c, Csr<T> const& c) {
    if (a.rows != c.rows || a.cols != c.cols)
        throw std::invalid_argument("weighted sum of graphs: expected equal shapes");
    Csr<T> result{a.rows, a.cols, {0}, {}, {}};
    for (std::size_t row = 0; row < a.rows; ++row) {
        std::size_t at_a = a.offsets[row], at_c = c.offsets[row];
        const std::size_t end_a = a.offsets[row + 1], end_c = c.offsets[row + 1];
        while (at_a < end_a || at_c < end_c) {
            const bool from_a =
                at_a < end_a && (at_c == end_c || a.columns[at_a] <= c.columns[at_c]);
            const bool from_c =
                at_c < end_c && (at_a == end_a || c.columns[at_c] <= a.columns[at_a]);
            result.columns.push_back(from_a ? a.columns[at_a] : c.columns[at_c]);
            result.values.push_back((from_a ? w_a * a.values[at_a] : T(0)) +
                                    (from_c ? w_c * c.values[at_c] : T(0)));
            at_a += static_cast<std::size_t>(from_a);
            at_c += static_cast<std::size_t>(from_c);
        }
        result.offsets.push_back(result.columns.size());
    }
    return result;
}

/// nearest_neighbours of a modality of `data`, kept in data.cache_folder where there is one.
template <class T>
Csr<T> nearest_neighbours(Dataset const& data, FeatureMatrix const& features, int k, int threads) {
    const Features<T> x(features);
    return data.cache_folder.empty() ? nearest_neighbours(x.view(), k, threads)
                                     : cached_neighbours(data.cache_folder, x.view(), k, threads);
}

/// D^(-1/2) A D^(-1/2), D the sums of the rows of A, for both sides also where A is not symmetric. Rows
/// and columns whose sum is not positive become 0.
template <class T>
Csr<T> normalised_by_row_sums(Csr<T> a) {
    std::vector<double> scaling(a.rows);
    for (std::size_t row = 0; row < a.rows; ++row) {
        double sum = 0;
        for (std::size_t k = a.offsets[row]; k < a.offsets[row + 1]; ++k)
            sum += static_cast<double>(a.values[k]);
        scaling[row] = sum > 0 ? 1 / std::sqrt(sum) : 0;
    }
    for (std::size_t row = 0; row < a.rows; ++row)
        for (std::size_t k = a.offsets[row]; k < a.offsets[row + 1]; ++k)
            a.values[k] = static_cast<T>(scaling[row] * static_cast<double>(a.values[k]) *
                                         scaling[static_cast<std::size_t>(a.columns[k])]);
    return a;
}

/// The frozen item graph of FREEDOM, DRAGON and MENTOR, (n_items x n_items), of raw features:
///
///     M = w M_visual + (1 - w) M_textual,     or M of the only modality there is
///
/// With more modalities those besides the visual one share 1 - w alike, and without a visual one 1; FREEDOM's equation is a sum
/// over modalities with weights whose sum is 1.
///
/// M_x has an entry 1 / (k + 1e-7) at each of the k nearest neighbours of an item in modality x, the item
/// itself among them. That is D^(-1/2) B D^(-1/2) of the binary graph B with D = its row sums + 1e-7:
/// these are all k, and neither cosines nor the number of items that an item is a neighbour of count.
/// Zhou, Shen: A Tale of Two Graphs: Freezing and Denoising Graph Structures for Multimodal
/// Recommendation, MM 2023; MMRec (enoche/MMRec), src/models/freedom.py.
template <class T>
Csr<T> frozen_item_graph(Dataset const& data, int k, double w, int threads) {
    auto const of = [&](FeatureMatrix const& features) {
        auto graph = nearest_neighbours<T>(data, features, k, threads);
        std::fill(graph.values.begin(), graph.values.end(), static_cast<T>(1 / (k + 1e-7)));
        return graph;
    };
    std::vector<FeatureMatrix const*> all, others;
    if (!data.textual.empty()) others.push_back(&data.textual);
    for (auto const& each : data.further) others.push_back(&each.features);
    if (!data.visual.empty()) all.push_back(&data.visual);
    all.insert(all.end(), others.begin(), others.end());
    if (all.size() == 1) return of(*all.front());
    double const of_visual = data.visual.empty() ? 0 : w;
    auto const share = static_cast<T>((1 - of_visual) / static_cast<double>(others.size()));
    auto sum = weighted_sum(data.visual.empty() ? share : static_cast<T>(w), of(*all[0]), share,
                            of(*all[1]));
    for (std::size_t m = 2; m < all.size(); ++m) sum = weighted_sum(T(1), sum, share, of(*all[m]));
    return sum;
}

}  // namespace polder::recsys
