/// Further measures of lists of items: how soon the first hit comes, and what the lists of all users are like.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/evaluation/metrics.hpp"

namespace polder::recsys {

/// Measures of one user's list at one cutoff K. h_r, H_K and m are as for metrics_at:
///
///     HR@K = 1 if H_K > 0, else 0     MRR@K = 1 / the rank of the first hit in the first K, 0 without one
///     F1@K = 2 P R / (P + R) of P = Precision@K and R = Recall@K, 0 without a hit
struct ListMeasures {
    double recall = 0, precision = 0, f1 = 0, ndcg = 0, map = 0, hr = 0, mrr = 0;

    /// Calls f(name, value) for each, "recall" first.
    template <class F>
    void visit(F&& f) const {
        f("recall", recall);
        f("precision", precision);
        f("f1", f1);
        f("ndcg", ndcg);
        f("map", map);
        f("hr", hr);
        f("mrr", mrr);
    }
};

/// The measures of a list, best first. relevant: the user's rows in the split.
inline ListMeasures measures_at(std::span<std::int32_t const> list,
                                std::span<std::int32_t const> relevant, std::size_t K) {
    auto const n = std::min(list.size(), K);
    auto const hits = std::make_unique<bool[]>(n);
    std::size_t first = 0;  // rank of the first hit
    for (std::size_t r = 0; r < n; ++r) {
        hits[r] = std::find(relevant.begin(), relevant.end(), list[r]) != relevant.end();
        if (hits[r] && first == 0) first = r + 1;
    }
    auto const at = metrics_at({hits.get(), n}, relevant.size(), K);
    ListMeasures result{at.recall, at.precision, 0, at.ndcg, at.map, 0, 0};
    if (first != 0) {
        result.f1 = 2 * at.precision * at.recall / (at.precision + at.recall);
        result.hr = 1;
        result.mrr = 1 / static_cast<double>(first);
    }
    return result;
}

/// The area under the ROC curve of one user: the share of pairs of a relevant item and another candidate that have the higher
/// score for the relevant one, equal scores counting one half. Items in `masked` are no candidates. NaN without a pair.
inline double auc(std::span<float const> scores, std::span<std::int32_t const> relevant,
                  std::span<std::int32_t const> masked) {
    enum : char { candidate, positive, left_out };
    std::vector<char> kind(scores.size(), candidate);
    for (auto const item : relevant) kind[static_cast<std::size_t>(item)] = positive;
    for (auto const item : masked) kind[static_cast<std::size_t>(item)] = left_out;
    std::vector<float> others;
    for (std::size_t i = 0; i < scores.size(); ++i)
        if (kind[i] == candidate) others.push_back(scores[i]);
    std::sort(others.begin(), others.end());
    double above = 0, pairs = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
        if (kind[i] != positive) continue;
        auto const [low, high] = std::equal_range(others.begin(), others.end(), scores[i]);
        above += static_cast<double>((low - others.begin()) + (high - others.begin())) / 2;
        pairs += static_cast<double>(others.size());
    }
    return pairs > 0 ? above / pairs : std::numeric_limits<double>::quiet_NaN();
}

/// What the lists of all users are like at one cutoff K, whatever they hit. n_i: how many rows of training item i has, c_i: how
/// many of the lists, cut at K, it is in, N users with training rows, I items:
///
///     coverage   = the share of items with c_i > 0
///     gini       = sum_j (2 j - I - 1) c_(j) / (I sum_j c_j), c_(1) <= ... <= c_(I); 0: all items alike, 1: one item alone
///     popularity = the mean of n_i over all places of all lists
///     novelty    = the mean of -log2(max(n_i, 1) / N) over all places (Zhou et al. 2010)
///     diversity  = the mean over lists of the mean over its pairs of 1 - cos(f_i, f_j), f the features of one modality (Ziegler et
///                  al. 2005); NaN without features. A row of zeros has the cosine 0.
struct ListCharacter {
    double coverage = 0, gini = 0, popularity = 0, novelty = 0;
    double visual_diversity = 0, textual_diversity = 0;

    template <class F>
    void visit(F&& f) const {
        f("coverage", coverage);
        f("gini", gini);
        f("popularity", popularity);
        f("novelty", novelty);
        f("visual diversity", visual_diversity);
        f("textual diversity", textual_diversity);
    }
};

namespace detail {

inline double diversity(std::vector<std::vector<std::int32_t>> const& lists,
                        FeatureMatrix const& features, std::size_t K) {
    if (features.empty()) return std::numeric_limits<double>::quiet_NaN();
    double sum = 0, n_lists = 0;
    std::vector<double> mean(features.columns);
    for (auto const& list : lists) {
        auto const n = std::min(list.size(), K);
        if (n < 2) continue;
        // sum over pairs of cos = (||sum of unit rows||^2 - number of rows that are not 0) / 2
        std::fill(mean.begin(), mean.end(), 0);
        double n_rows = 0, square = 0;
        for (std::size_t r = 0; r < n; ++r) {
            auto const row = features.row(static_cast<std::size_t>(list[r]));
            double norm = 0;
            for (float const v : row) norm += static_cast<double>(v) * static_cast<double>(v);
            if (norm == 0) continue;
            n_rows += 1;
            norm = std::sqrt(norm);
            for (std::size_t k = 0; k < row.size(); ++k)
                mean[k] += static_cast<double>(row[k]) / norm;
        }
        for (double const v : mean) square += v * v;
        auto const pairs = static_cast<double>(n) * static_cast<double>(n - 1) / 2;
        sum += 1 - (square - n_rows) / 2 / pairs;
        n_lists += 1;
    }
    return sum / n_lists;
}

}  // namespace detail

/// The character of lists, best first, one for each user. The data gives training rows and features.
inline ListCharacter character_at(std::vector<std::vector<std::int32_t>> const& lists,
                                  Dataset const& data, std::size_t K) {
    std::vector<double> rows(static_cast<std::size_t>(data.n_items)),
        count(static_cast<std::size_t>(data.n_items));
    std::vector<bool> has_rows(static_cast<std::size_t>(data.n_users));
    for (auto const& row : data.train) {
        rows[static_cast<std::size_t>(row.item)] += 1;
        has_rows[static_cast<std::size_t>(row.user)] = true;
    }
    auto const n_users = static_cast<double>(std::count(has_rows.begin(), has_rows.end(), true));
    ListCharacter result;
    double places = 0;
    for (auto const& list : lists)
        for (std::size_t r = 0; r < std::min(list.size(), K); ++r) {
            auto const item = static_cast<std::size_t>(list[r]);
            count[item] += 1;
            places += 1;
            result.popularity += rows[item];
            result.novelty -= std::log2(std::max(rows[item], 1.0) / n_users);
        }
    result.popularity /= places;
    result.novelty /= places;
    std::sort(count.begin(), count.end());
    auto const n = static_cast<double>(count.size());
    for (std::size_t j = 0; j < count.size(); ++j) {
        result.coverage += count[j] > 0 ? 1 / n : 0;
        result.gini += (2 * static_cast<double>(j + 1) - n - 1) * count[j] / (n * places);
    }
    result.visual_diversity = detail::diversity(lists, data.visual, K);
    result.textual_diversity = detail::diversity(lists, data.textual, K);
    return result;
}

}  // namespace polder::recsys
