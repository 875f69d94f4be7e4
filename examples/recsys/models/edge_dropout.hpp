/// Propagation over a graph of users and items of which some entries are dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "recsys/models/noise.hpp"
#include "recsys/random.hpp"
#include "recsys/tape/csr.hpp"
#include "recsys/tape/pattern.hpp"
#include "recsys/tape/sparse.hpp"

namespace polder::recsys {

/// A thinned symmetric matrix [[0, R_1], [R_2^T, 0]] of R (n_users, n_items): every entry of both is 0 with
/// probability `rate`, independently of all others and of the same edge in the other direction, else it is
/// that of R / (1 - rate).
template <class T>
class EdgeDropout {
public:
    explicit EdgeDropout(Csr<T> const& interactions)
        : full_(interactions.values), pattern_(interactions), to_users_(room(pattern_.by_row)),
          from_items_(room(pattern_.by_column)), to_items_(room(pattern_.by_column)),
          from_users_(room(pattern_.by_row)) {
        to_users_.rows = from_users_.rows = to_items_.cols = from_items_.cols = interactions.rows;
        to_items_.rows = from_items_.rows = to_users_.cols = from_users_.cols = interactions.cols;
        drop(0, [](std::size_t, std::size_t) { return true; });
    }

    /// Thins with the next 2 |E| numbers of `random`. Allocates nothing.
    void draw(Random random, double rate) {
        drop(rate, [&](std::size_t, std::size_t) { return random.uniform() >= rate; });
    }

    /// Keeps the entries that are not 0 in a matrix of all nodes, users first, row by row.
    void fix(std::vector<double> const& matrix, double rate) {
        const std::size_t n = to_users_.rows + to_users_.cols;
        if (matrix.size() != n * n)
            throw std::invalid_argument("noise: a graph has " + std::to_string(matrix.size()) +
                                        " values, expected " + std::to_string(n * n));
        drop(rate, [&](std::size_t to, std::size_t from) { return matrix[to * n + from] != 0; });
    }

    /// R_1 X in the rows `rows` only.
    template <class B>
    Value<B> to_users(Value<B> items, Rows rows = Rows::all()) const {
        return propagate(to_users_, from_items_, items, rows);
    }

    /// R_2^T X in the rows `rows` only.
    template <class B>
    Value<B> to_items(Value<B> users, Rows rows = Rows::all()) const {
        return propagate(to_items_, from_users_, users, rows);
    }

private:
    static Csr<T> room(Pattern::Side const& side) {
        Csr<T> result;
        result.offsets.reserve(side.offsets.size());
        result.columns.reserve(side.ends.size());
        result.values.reserve(side.ends.size());
        return result;
    }

    // is_kept(to, from), nodes of which one is a user and one an item, is called for every entry once.
    template <class IsKept>
    void drop(double rate, IsKept is_kept) {
        auto const scale = 1 / (1 - rate);
        const std::size_t n_users = to_users_.rows;
        weights_.resize(full_.size());
        auto const weigh = [&](bool to_user) {
            for (std::size_t user = 0; user < n_users; ++user) {
                for (std::size_t k = pattern_.by_row.offsets[user];
                     k < pattern_.by_row.offsets[user + 1]; ++k) {
                    auto const item = n_users + static_cast<std::size_t>(pattern_.by_row.ends[k]);
                    const bool kept = to_user ? is_kept(user, item) : is_kept(item, user);
                    weights_[k] =
                        kept ? static_cast<T>(static_cast<double>(full_[k]) * scale) : T(0);
                }
            }
        };
        weigh(true);
        compact(pattern_.by_row, to_users_);
        compact(pattern_.by_column, from_items_);
        weigh(false);
        compact(pattern_.by_column, to_items_);
        compact(pattern_.by_row, from_users_);
    }

    // The entries of `side` whose weight is not 0.
    void compact(Pattern::Side const& side, Csr<T>& to) const {
        to.mirror.forget();
        to.offsets.clear();
        to.columns.clear();
        to.values.clear();
        to.offsets.push_back(0);
        for (std::size_t row = 0; row + 1 < side.offsets.size(); ++row) {
            for (std::size_t k = side.offsets[row]; k < side.offsets[row + 1]; ++k) {
                const T weight = weights_[static_cast<std::size_t>(side.entry[k])];
                if (weight == T(0)) continue;
                to.columns.push_back(side.ends[k]);
                to.values.push_back(weight);
            }
            to.offsets.push_back(to.columns.size());
        }
    }

    std::vector<T> full_, weights_;
    Pattern pattern_;
    Csr<T> to_users_, from_items_;  // R_1 and its transpose
    Csr<T> to_items_, from_users_;  // R_2^T and its transpose
};

}  // namespace polder::recsys
