/// NGCF: messages over the graph of users and items, which depend on how both ends agree.
///
/// Wang, He, Wang, Feng, Chua: Neural Graph Collaborative Filtering, SIGIR 2019. Details where the paper
/// leaves a choice, and some where it does not: RecBole (RUCAIBox/RecBole),
/// recbole/model/general_recommender/ngcf.py and recbole/model/layers.py.
///
///     P (n_users, d_0), Q (n_items, d_0)                   embeddings of layer 0
///     W1, W2 (d_l, d_l-1), b1, b2 (1, d_l)                 for every layer l = 1..L
///     A (nodes, nodes)    [[0, R], [R^T, 0]], R as in LightGCN; nodes are users, then items
///
///     X^(0) = [P; Q],     S = A X^(l-1)                                          eq. (7), (8)
///     Z     = (X^(l-1) + S) W1^T + b1 + (X^(l-1) * S) W2^T + b2                  * entry by entry
///     X^(l) = unit(drop(LeakyReLU(Z)))      slope 0.2; unit(X) = rows / max(norm, 1e-12)
///     E     = [X^(0) | X^(1) | ... | X^(L)]                                      eq. (9)
///     score(u, i) = E_u . E_i                                                    eq. (10)
///
///     x_b  = E_u . E_p - E_u . E_n          for the rows b = (u, p, n) of a batch of B
///     loss = -(1/B) sum_b log(1e-10 + sigma(x_b))                                eq. (11)
///            + reg_weight (|E_u|_F + |E_p|_F + |E_n|_F) / B
///
/// In training, drop() keeps each entry with probability 1 - message_dropout and divides it by that, and
/// A loses each entry with probability node_dropout likewise, (u, i) and (i, u) independently, the same
/// in all layers. Both are drawn anew for every batch.
///
/// Choices that change results; RecBole's, where the authors' code has others:
/// - One LeakyReLU of the sum of both branches. The authors: one of each branch, then the sum.
/// - The unit rows feed the next layer. The authors: the rows before they are divided.
/// - A has no self-loops and is symmetric, X is added to S in the layer. The authors' default graph has
///   self-loops and rows that are divided by their sums.
/// - The regulariser takes the rows of E, unit parts and all, and norms that are not squared, so that it
///   is nearly constant beyond layer 0. W and b have none. The authors: half the squares of P and Q.
/// - Embeddings and W start Xavier normal, biases at 0. The authors: Xavier uniform, biases too.
/// - Dropout is before the division by the norm: a row that lost entries has length 1 nevertheless, and
///   one that lost all is 0. There is none at inference.
/// - b1 and b2 add up: an isolated node still is LeakyReLU(X W1^T + b1 + b2).
/// - There is a layer for every entry of hidden_size_list.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/data/triples.hpp"
#include "recsys/models/distinct_ids.hpp"
#include "recsys/models/graph.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/model.hpp"
#include "recsys/models/on_tape.hpp"
#include "recsys/models/parameter_list.hpp"
#include "recsys/models/sides.hpp"
#include "recsys/tape/operations.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Hyper-parameters of NGCF.
struct NGCFHyperParameters {
    int embedding_size = 64;
    std::vector<int> hidden_size_list = {64, 64, 64};
    double node_dropout = 0;
    double message_dropout = 0.1;
    double reg_weight = 1e-5;

    using Self = NGCFHyperParameters;
    using Row = HyperParameter<Self>;
    static constexpr std::array table{
        Row{"embedding_size", &Self::embedding_size, 1, 65536,
            "d_0, numbers per user and item in layer 0"},
        Row{"hidden_size_list", &Self::hidden_size_list, 1, 65536,
            "d_1, d_2, ..., numbers per user and item in the other layers"},
        Row{"node_dropout", &Self::node_dropout, 0, 0.99,
            "share of the graph's entries that a batch does without"},
        Row{"message_dropout", &Self::message_dropout, 0, 0.99,
            "share of every layer's entries that a batch does without"},
        Row{"reg_weight", &Self::reg_weight, 0, unlimited,
            "weight of the norms of the batch's users and items"},
    };
};

/// NGCF on one data set.
template <class B>
class NGCF {
    using T = typename B::Scalar;
    using Matrix = Value<B>;

public:
    using HyperParameters = NGCFHyperParameters;
    static constexpr std::string_view model_name = "ngcf";
    static constexpr std::string_view source = "Wang et al., SIGIR 2019";

    static InParts in_parts(HyperParameters const&) { return {}; }

    NGCF(Dataset const& data, HyperParameters const& values, int)
        : values_(values), n_users_(data.n_users),
          adjacency_(bipartite_adjacency(normalised_interactions<T>(data))) {
        if (values_.node_dropout > 0) {
            pattern_ = Pattern(adjacency_);
            edges_ = {adjacency_.values.size(), 1, adjacency_.values};
            thinned_ = {adjacency_.values.size(), 1};
        }
        for (std::size_t l = 0; l < values_.hidden_size_list.size(); ++l) {
            auto const layer = "layers." + std::to_string(l);
            names_.push_back({layer + ".linear.weight", layer + ".linear.bias",
                              layer + ".interaction.weight", layer + ".interaction.bias",
                              "message_dropout_layer" + std::to_string(l)});
        }
    }

    void parameters(ParameterList<T>& list) const {
        auto inputs = values_.embedding_size;
        list.add_users("user_embedding", inputs, xavier_normal);
        list.add_items("item_embedding", inputs, xavier_normal);
        for (std::size_t l = 0; l < names_.size(); ++l) {
            auto const outputs = values_.hidden_size_list[l];
            list.add(names_[l].w1, outputs, inputs, xavier_normal);
            list.add(names_[l].b1, 1, outputs, zeros);
            list.add(names_[l].w2, outputs, inputs, xavier_normal);
            list.add(names_[l].b2, 1, outputs, zeros);
            inputs = outputs;
        }
    }

    Matrix loss(OnTape<B> const& on, Triples const& batch, LossTerms<B>& terms) {
        // The norms are those of the whole batch, also where this is a part of it.
        auto const& all = values_.reg_weight == 0 ? batch : batch.all();
        assign_item_nodes(positives_, all.positives, n_users_);
        assign_item_nodes(negatives_, all.negatives, n_users_);
        nodes_.assign(adjacency_.rows, {all.users, positives_, negatives_});

        auto const e = training(on);
        auto const e_u = gather(e, nodes_.places(0));
        auto const e_p = gather(e, nodes_.places(1)), e_n = gather(e, nodes_.places(2));
        auto const bpr = bpr_loss(rows_of(batch, e_u), rows_of(batch, e_p), rows_of(batch, e_n));
        auto const norms = embedding_loss({e_u, e_p, e_n});
        terms = {{"mf_loss", bpr}, {"reg_loss", norms}};
        return bpr + static_cast<T>(values_.reg_weight) * norms;
    }

    Sides<B> represent(OnTape<B> const& on) {
        auto x = concatenate_rows(on["user_embedding"], on["item_embedding"]);
        layers_.assign(1, x);
        for (auto const& layer : names_) {
            x = normalise_rows(message(on, layer, x, propagate(adjacency_, adjacency_, x)));
            layers_.push_back(x);
        }
        return sides(concatenate_columns(layers_), static_cast<std::size_t>(n_users_));
    }

    std::vector<NamedGraph<T>> graphs() const { return {{"norm_adj", &adjacency_}}; }

private:
    struct LayerNames {
        std::string w1, b1, w2, b2, dropout;
    };

    // E in training, of the batch's distinct nodes only: so the last layer is computed for them alone.
    Matrix training(OnTape<B> const& on) {
        auto const ids = nodes_.ids();
        std::optional<Matrix> edges;
        if (values_.node_dropout > 0) edges = thinned_edges(on);
        auto x = concatenate_rows(on["user_embedding"], on["item_embedding"]);
        layers_.assign(1, gather(x, ids));
        for (auto const& layer : names_) {
            bool const is_last = &layer == &names_.back();
            auto s = edges ? propagate(pattern_, *edges, x)
                           : propagate(adjacency_, adjacency_, x,
                                       is_last ? Rows(nodes_.set()) : Rows::all());
            if (is_last) {
                x = gather(x, ids);
                s = gather(s, ids);
            }
            x = message(on, layer, x, s);
            if (values_.message_dropout > 0) {
                std::size_t const n = adjacency_.rows, d = x.cols();
                double const rate = values_.message_dropout;
                auto const mask = is_last ? on.noise().dropout_rows(layer.dropout, ids, n, d, rate)
                                          : on.noise().dropout(layer.dropout, n, d, rate);
                x = hadamard(x, on.constant(mask));
            }
            x = normalise_rows(x);
            layers_.push_back(is_last ? x : gather(x, ids));
        }
        return concatenate_columns(layers_);
    }

    // LeakyReLU(Z)
    Matrix message(OnTape<B> const& on, LayerNames const& layer, Matrix x, Matrix s) {
        return leaky_relu(linear(x + s, on[layer.w1], on[layer.b1]) +
                              linear(hadamard(x, s), on[layer.w2], on[layer.b2]),
                          T(0.2));
    }

    // The entries of A in the order of `pattern_`, some of them 0. A fixed object is the matrix itself.
    Matrix thinned_edges(OnTape<B> const& on) {
        std::size_t const n = edges_.rows;
        if (auto const* const fixed = on.noise().fixed("node_dropout_adj")) {
            if (fixed->size() != adjacency_.rows * adjacency_.cols)
                throw std::invalid_argument("noise: 'node_dropout_adj' has " +
                                            std::to_string(fixed->size()) + " values, expected " +
                                            std::to_string(adjacency_.rows * adjacency_.cols));
            for (std::size_t row = 0; row < adjacency_.rows; ++row)
                for (std::size_t k = adjacency_.offsets[row]; k < adjacency_.offsets[row + 1]; ++k)
                    thinned_.values[k] =
                        static_cast<T>((*fixed)[row * adjacency_.cols +
                                                static_cast<std::size_t>(adjacency_.columns[k])]);
            thinned_.mirror.forget();
            return on.constant(thinned_);
        }
        auto const mask = on.noise().dropout("node_dropout_adj", n, 1, values_.node_dropout);
        return hadamard(on.constant(mask), on.constant(edges_));
    }

    HyperParameters values_;
    std::int32_t n_users_;
    Csr<T> adjacency_;               // A, its own transpose
    Pattern pattern_;                // of A, where entries are dropped
    HostMatrix<T> edges_, thinned_;  // its entries, and those of a fixed object
    std::vector<LayerNames> names_;
    DistinctIds nodes_;  // of the batch
    std::vector<std::int32_t> positives_, negatives_;
    std::vector<Matrix> layers_;
};

}  // namespace polder::recsys
