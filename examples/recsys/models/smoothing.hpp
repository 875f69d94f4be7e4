/// Propagation over the graph of users and items without weights, which LightGCN and its successors share.
#pragma once

#include <utility>
#include <vector>

#include "recsys/models/sides.hpp"
#include "recsys/tape/csr.hpp"
#include "recsys/tape/operations.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// R (n_users, n_items) and its transpose:
///
///     U^(l+1) = R I^(l),     I^(l+1) = R^T U^(l)
///
/// He et al., LightGCN, SIGIR 2020, eq. (3). The last layer is computed in the rows asked for only.
template <class B>
class Smoothing {
    using T = typename B::Scalar;

public:
    using Matrix = Value<B>;

    explicit Smoothing(Csr<T> interactions)
        : interactions_(std::move(interactions)), transposed_(transpose(interactions_)) {}

    Csr<T> const& interactions() const { return interactions_; }  ///< R
    Csr<T> const& transposed() const { return transposed_; }      ///< R^T

    /// U^(L) and I^(L).
    Sides<B> last(Sides<B> layer_0, int n_layers, Rows user_rows = Rows::all(),
                  Rows item_rows = Rows::all()) {
        propagate_all(layer_0, n_layers, user_rows, item_rows);
        return {user_layers_.back(), item_layers_.back()};
    }

    /// The means over l = 0..L of U^(l) and I^(l).
    Sides<B> mean_of_layers(Sides<B> layer_0, int n_layers, Rows user_rows = Rows::all(),
                            Rows item_rows = Rows::all()) {
        propagate_all(layer_0, n_layers, user_rows, item_rows);
        return {mean(user_layers_, user_rows), mean(item_layers_, item_rows)};
    }

private:
    void propagate_all(Sides<B> layer_0, int n_layers, Rows user_rows, Rows item_rows) {
        user_layers_.assign(1, layer_0.users);
        item_layers_.assign(1, layer_0.items);
        for (int l = 1; l <= n_layers; ++l) {
            const bool last = l == n_layers;
            const Matrix u = user_layers_.back(), i = item_layers_.back();
            user_layers_.push_back(
                propagate(interactions_, transposed_, i, last ? user_rows : Rows::all()));
            item_layers_.push_back(
                propagate(transposed_, interactions_, u, last ? item_rows : Rows::all()));
        }
    }

    Csr<T> interactions_, transposed_;
    std::vector<Matrix> user_layers_, item_layers_;
};

}  // namespace polder::recsys
