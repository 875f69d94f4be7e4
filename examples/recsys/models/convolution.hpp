/// What users receive from their items and items from their users: one step over the graph of the train
/// rows.
#pragma once

#include "recsys/data/dataset.hpp"
#include "recsys/models/graph.hpp"
#include "recsys/tape/csr.hpp"
#include "recsys/tape/sparse.hpp"

namespace polder::recsys {

/// A weighted sum over neighbours, in the graph that has an edge for every distinct pair of the train rows.
/// |N| counts distinct neighbours; a node without any receives 0.
///
///     symmetric    u'_u = sum over i in N_u of i_i / sqrt(|N_u| |N_i|),    i'_i the same over N_i
///     mean         u'_u = (1/|N_u|) sum over i in N_u of i_i,              i'_i the same over N_i
template <class T>
class Convolution {
public:
    static Convolution symmetric(Dataset const& data) {
        Convolution result;
        result.to_users_ = normalised_interactions<T>(data, 0);
        result.to_items_ = transpose(result.to_users_);
        return result;
    }

    static Convolution mean(Dataset const& data) {
        Convolution result;
        result.to_users_ = weighted_interactions<T>(
            data, [](double user_degree, double) { return 1 / user_degree; });
        result.from_items_ = transpose(result.to_users_);
        result.from_users_ = weighted_interactions<T>(
            data, [](double, double item_degree) { return 1 / item_degree; });
        result.to_items_ = transpose(result.from_users_);
        return result;
    }

    /// What users receive of `items` (n_items, d), in the rows `rows` only: (n_users, d).
    template <class B>
    Value<B> to_users(Value<B> items, Rows rows = Rows::all()) const {
        return propagate(to_users_, is_symmetric() ? to_items_ : from_items_, items, rows);
    }

    /// What items receive of `users` (n_users, d), in the rows `rows` only: (n_items, d).
    template <class B>
    Value<B> to_items(Value<B> users, Rows rows = Rows::all()) const {
        return propagate(to_items_, is_symmetric() ? to_users_ : from_users_, users, rows);
    }

private:
    bool is_symmetric() const { return from_items_.rows == 0; }

    Csr<T> to_users_, to_items_;      // (n_users x n_items), (n_items x n_users)
    Csr<T> from_items_, from_users_;  // their transposes, unless these are each other's
};

}  // namespace polder::recsys
