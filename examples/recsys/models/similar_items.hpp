/// Propagation over a graph of similar items.
#pragma once

#include <utility>

#include "recsys/tape/csr.hpp"
#include "recsys/tape/sparse.hpp"

namespace polder::recsys {

/// I = X + M^n X for a graph of items M (n_items x n_items), such as frozen_item_graph.
/// Zhou et al., DRAGON, ECAI 2023.
template <class T>
class SimilarItems {
public:
    SimilarItems(Csr<T> graph, int n)
        : graph_(std::move(graph)), transposed_(transpose(graph_)), n_(n) {}

    /// I of x (n_items, d), in the rows `rows` only.
    template <class B>
    Value<B> operator()(Value<B> x, Rows rows = Rows::all()) const {
        Value<B> similar = x;
        for (int l = 1; l <= n_; ++l)
            similar = propagate(graph_, transposed_, similar, l == n_ ? rows : Rows::all());
        return sum({x, similar}, rows);
    }

    Csr<T> const& graph() const { return graph_; }  ///< M

private:
    Csr<T> graph_, transposed_;
    int n_;
};

}  // namespace polder::recsys
