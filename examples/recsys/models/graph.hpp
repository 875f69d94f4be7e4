/// Graphs of users and items, built from the train rows.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/tape/csr.hpp"

namespace polder::recsys {

/// (n_users x n_items), an entry for every distinct pair (u, i) of the train rows: weight(deg(u), deg(i)),
/// where deg counts distinct neighbours. Computed in double, then rounded to T. A user or item without
/// train rows has no entry.
template <class T, class Weight>
Csr<T> weighted_interactions(Dataset const& data, Weight weight) {
    auto const n_users = static_cast<std::size_t>(data.n_users);
    auto const n_items = static_cast<std::size_t>(data.n_items);
    auto const history = UserItems::distinct(data.train, data.n_users);

    std::vector<double> item_degree(n_items);
    for (std::int32_t user = 0; user < data.n_users; ++user)
        for (const std::int32_t item : history[user]) ++item_degree[static_cast<std::size_t>(item)];

    Csr<T> result{n_users, n_items, {}, {}, {}};
    result.offsets.reserve(n_users + 1);
    result.offsets.push_back(0);
    result.columns.reserve(history.size());
    result.values.reserve(history.size());
    for (std::int32_t user = 0; user < data.n_users; ++user) {
        auto const items = history[user];
        auto const user_degree = static_cast<double>(items.size());
        for (const std::int32_t item : items) {
            result.columns.push_back(item);
            result.values.push_back(
                static_cast<T>(weight(user_degree, item_degree[static_cast<std::size_t>(item)])));
        }
        result.offsets.push_back(result.columns.size());
    }
    return result;
}

/// R_hat, (n_users x n_items): (deg(u) + guard)^(-1/2) (deg(i) + guard)^(-1/2) for every distinct pair
/// (u, i) of the train rows (weighted_interactions).
template <class T>
Csr<T> normalised_interactions(Dataset const& data, double guard = 1e-7) {
    return weighted_interactions<T>(data, [guard](double user_degree, double item_degree) {
        return 1 / std::sqrt(user_degree + guard) * (1 / std::sqrt(item_degree + guard));
    });
}

/// (n_users x n_items): 1 for every distinct pair of the train rows.
template <class T>
Csr<T> binary_interactions(Dataset const& data) {
    return weighted_interactions<T>(data, [](double, double) { return 1.0; });
}

/// 1 / (deg + 1e-7) of every node, users first, where deg counts the entries of `interactions`.
template <class T>
std::vector<double> inverse_degrees(Csr<T> const& interactions) {
    std::vector<double> degree(interactions.rows + interactions.cols);
    for (std::size_t user = 0; user < interactions.rows; ++user)
        degree[user] =
            static_cast<double>(interactions.offsets[user + 1] - interactions.offsets[user]);
    for (const std::int32_t item : interactions.columns)
        ++degree[interactions.rows + static_cast<std::size_t>(item)];
    for (double& each : degree) each = 1 / (each + 1e-7);
    return degree;
}

/// [[0, R], [R^T, 0]]: the symmetric adjacency of all nodes, users first, item i is node n_users + i.
template <class T>
Csr<T> bipartite_adjacency(Csr<T> const& interactions) {
    Csr<T> result{interactions.rows + interactions.cols, interactions.rows + interactions.cols,
                  interactions.offsets, interactions.columns, interactions.values};
    for (auto& column : result.columns) column += static_cast<std::int32_t>(interactions.rows);
    const Csr<T> items = transpose(interactions);
    result.columns.insert(result.columns.end(), items.columns.begin(), items.columns.end());
    result.values.insert(result.values.end(), items.values.begin(), items.values.end());
    for (std::size_t item = 1; item <= items.rows; ++item)
        result.offsets.push_back(interactions.columns.size() + items.offsets[item]);
    return result;
}

/// A + I for a square A with nothing on its diagonal.
template <class T>
Csr<T> with_self_loops(Csr<T> const& a) {
    Csr<T> result{a.rows, a.cols, {0}, {}, {}};
    for (std::size_t row = 0; row < a.rows; ++row) {
        auto const diagonal = static_cast<std::int32_t>(row);
        std::size_t k = a.offsets[row];
        auto const append_while = [&](auto is_wanted) {
            for (; k < a.offsets[row + 1] && is_wanted(a.columns[k]); ++k) {
                result.columns.push_back(a.columns[k]);
                result.values.push_back(a.values[k]);
            }
        };
        append_while([&](std::int32_t column) { return column < diagonal; });
        result.columns.push_back(diagonal);
        result.values.push_back(T(1));
        append_while([](std::int32_t) { return true; });
        result.offsets.push_back(result.columns.size());
    }
    return result;
}

/// D^(-1) A, D the sums of the rows of A. A row without entries stays so.
template <class T>
Csr<T> normalised_rows(Csr<T> a) {
    for (std::size_t row = 0; row < a.rows; ++row) {
        double sum = 0;
        for (std::size_t k = a.offsets[row]; k < a.offsets[row + 1]; ++k)
            sum += static_cast<double>(a.values[k]);
        for (std::size_t k = a.offsets[row]; k < a.offsets[row + 1]; ++k)
            a.values[k] = static_cast<T>(static_cast<double>(a.values[k]) / sum);
    }
    return a;
}

}  // namespace polder::recsys
