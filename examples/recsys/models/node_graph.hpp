/// Propagation over all nodes at once, for graphs that join nodes with themselves or are normalised by
/// rows: such a graph is no matrix of users and items with its transpose.
#pragma once

#include <utility>
#include <vector>

#include "recsys/tape/csr.hpp"
#include "recsys/tape/operations.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// An adjacency A of all nodes, users first, and its transpose:
///
///     Z^(l+1) = A Z^(l)
template <class B>
class NodeGraph {
    using T = typename B::Scalar;

public:
    using Matrix = Value<B>;

    explicit NodeGraph(Csr<T> adjacency)
        : adjacency_(std::move(adjacency)), transposed_(transpose(adjacency_)) {}

    Csr<T> const& adjacency() const { return adjacency_; }

    /// A Z, in the rows `rows` only.
    Matrix next_layer(Matrix z, Rows rows = Rows::all()) {
        return propagate(adjacency_, transposed_, z, rows);
    }

    /// The mean over l = 0..L of Z^(l), in the rows `rows` only.
    Matrix mean_of_layers(Matrix z, int n_layers, Rows rows = Rows::all()) {
        layers_.assign(1, z);
        for (int l = 1; l <= n_layers; ++l)
            layers_.push_back(next_layer(layers_.back(), l == n_layers ? rows : Rows::all()));
        return mean(layers_, rows);
    }

private:
    Csr<T> adjacency_, transposed_;
    std::vector<Matrix> layers_;
};

}  // namespace polder::recsys
