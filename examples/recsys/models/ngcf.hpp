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
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/models/bound_parameters.hpp"
#include "recsys/models/distinct_ids.hpp"
#include "recsys/models/graph.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/model.hpp"
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

    using Row = HyperParameter<NGCFHyperParameters>;
    static constexpr double unlimited = std::numeric_limits<double>::infinity();
    static constexpr std::array table{
        Row{"embedding_size", &NGCFHyperParameters::embedding_size, 1, 65536,
            "d_0, numbers per user and item in layer 0"},
        Row{"hidden_size_list", &NGCFHyperParameters::hidden_size_list, 1, 65536,
            "d_1, d_2, ..., numbers per user and item in the other layers"},
        Row{"node_dropout", &NGCFHyperParameters::node_dropout, 0, 0.99,
            "share of the graph's entries that a batch does without"},
        Row{"message_dropout", &NGCFHyperParameters::message_dropout, 0, 0.99,
            "share of every layer's entries that a batch does without"},
        Row{"reg_weight", &NGCFHyperParameters::reg_weight, 0, unlimited,
            "weight of the norms of the batch's users and items"},
    };
};

/// NGCF on one data set.
template <class B>
class NGCF final : public ModelOn<B> {
    using T = typename B::Scalar;
    using typename ModelOn<B>::Arena;
    using typename ModelOn<B>::Loss;

public:
    using HyperParameters = NGCFHyperParameters;
    static constexpr std::string_view model_name = "ngcf";
    static constexpr std::string_view source = "Wang et al., SIGIR 2019";

    NGCF(Dataset const& data, HyperParameters const& values, int threads)
        : values_(check(values, model_name)), n_users_(data.n_users), n_items_(data.n_items),
          adjacency_(bipartite_adjacency(normalised_interactions<T>(data))), tape_(B(threads)) {
        if (values_.node_dropout > 0) {
            pattern_ = Pattern(adjacency_);
            edges_ = {adjacency_.values.size(), 1, adjacency_.values};
            thinned_ = {adjacency_.values.size(), 1};
        }
        for (std::size_t l = 0; l < values_.hidden_size_list.size(); ++l) {
            const auto layer = "layers." + std::to_string(l);
            names_.push_back({layer + ".linear.weight", layer + ".linear.bias",
                              layer + ".interaction.weight", layer + ".interaction.bias",
                              "message_dropout_layer" + std::to_string(l)});
        }
    }

    [[nodiscard]] std::string_view name() const override { return model_name; }

    [[nodiscard]] std::vector<HyperParameterValue> hyper_parameters() const override {
        return list(values_);
    }

    void declare(ParameterArena<T>& parameters) const override {
        auto inputs = static_cast<std::size_t>(values_.embedding_size);
        parameters.add("user_embedding", static_cast<std::size_t>(n_users_), inputs);
        parameters.add("item_embedding", static_cast<std::size_t>(n_items_), inputs);
        for (std::size_t l = 0; l < names_.size(); ++l) {
            const auto outputs = static_cast<std::size_t>(values_.hidden_size_list[l]);
            parameters.add(names_[l].w1, outputs, inputs);
            parameters.add(names_[l].b1, 1, outputs);
            parameters.add(names_[l].w2, outputs, inputs);
            parameters.add(names_[l].b2, 1, outputs);
            inputs = outputs;
        }
    }

    void initialise(ParameterArena<T>& parameters, std::uint64_t seed) const override {
        xavier_normal(parameters, "user_embedding", seed);
        xavier_normal(parameters, "item_embedding", seed);
        for (auto const& layer : names_) {
            xavier_normal(parameters, layer.w1, seed);
            zeros(parameters, layer.b1);
            xavier_normal(parameters, layer.w2, seed);
            zeros(parameters, layer.b2);
        }
    }

    Loss loss(Arena const& parameters, Triples const& batch, Pass, Arena& gradient) override {
        this->noise_.begin_batch(batch.number);
        check(batch, n_users_, n_items_);
        const auto to_nodes = [this](std::span<std::int32_t const> items, auto& nodes) {
            nodes.resize(items.size());
            for (std::size_t b = 0; b < items.size(); ++b) nodes[b] = n_users_ + items[b];
        };
        to_nodes(batch.positives, positives_);
        to_nodes(batch.negatives, negatives_);
        nodes_.assign(adjacency_.rows, {batch.users, positives_, negatives_});

        tape_.reset();
        const auto e = training(BoundParameters<B>(tape_, parameters, &gradient));
        const auto e_u = gather(e, nodes_.places(0));
        const auto e_p = gather(e, nodes_.places(1)), e_n = gather(e, nodes_.places(2));

        const auto bpr = bpr_loss(row_dot(e_u, e_p), row_dot(e_u, e_n));
        const auto norms = embedding_loss({e_u, e_p, e_n});
        const auto total = bpr + static_cast<T>(values_.reg_weight) * norms;
        tape_.backward(total);

        terms_ = {{{"mf_loss", bpr.loss()}, {"reg_loss", norms.loss()}}};
        return total.loss();
    }

    [[nodiscard]] std::vector<LossTerm> terms() const override { return read_terms<B>(terms_); }

    [[nodiscard]] Representations<T> representations(Arena const& parameters) override {
        tape_.reset();
        const BoundParameters<B> of(tape_, parameters);
        auto x = concatenate_rows(of["user_embedding"], of["item_embedding"]);
        layers_.assign(1, x);
        for (auto const& layer : names_) {
            x = normalise_rows(message(of, layer, x, propagate(adjacency_, adjacency_, x)));
            layers_.push_back(x);
        }
        const auto e = concatenate_columns(layers_).value();
        const auto n_users = static_cast<std::size_t>(n_users_);
        return {row_range(e, 0, n_users), row_range(e, n_users, e.rows - n_users)};
    }

    [[nodiscard]] std::vector<NamedGraph<T>> graphs() const override {
        return {{"norm_adj", &adjacency_}};
    }

private:
    using Matrix = Value<B>;

    struct LayerNames {
        std::string w1, b1, w2, b2, dropout;
    };

    // E in training, of the batch's distinct nodes only: so the last layer is computed for them alone.
    Matrix training(BoundParameters<B> const& of) {
        const auto ids = nodes_.ids();
        std::optional<Matrix> edges;
        if (values_.node_dropout > 0) edges = thinned_edges();
        auto x = concatenate_rows(of["user_embedding"], of["item_embedding"]);
        layers_.assign(1, gather(x, ids));
        for (auto const& layer : names_) {
            const bool is_last = &layer == &names_.back();
            auto s = edges ? propagate(pattern_, *edges, x)
                           : propagate(adjacency_, adjacency_, x,
                                       is_last ? Rows(nodes_.set()) : Rows::all());
            if (is_last) {
                x = gather(x, ids);
                s = gather(s, ids);
            }
            x = message(of, layer, x, s);
            if (values_.message_dropout > 0) {
                const std::size_t n = adjacency_.rows, d = x.cols();
                const double rate = values_.message_dropout;
                const auto mask = is_last
                                      ? this->noise_.dropout_rows(layer.dropout, ids, n, d, rate)
                                      : this->noise_.dropout(layer.dropout, n, d, rate);
                x = hadamard(x, tape_.constant(mask));
            }
            x = normalise_rows(x);
            layers_.push_back(is_last ? x : gather(x, ids));
        }
        return concatenate_columns(layers_);
    }

    // LeakyReLU(Z)
    Matrix message(BoundParameters<B> const& of, LayerNames const& layer, Matrix x, Matrix s) {
        return leaky_relu(linear(x + s, of[layer.w1], of[layer.b1]) +
                              linear(hadamard(x, s), of[layer.w2], of[layer.b2]),
                          T(0.2));
    }

    // The entries of A in the order of `pattern_`, some of them 0. A fixed object is the matrix itself.
    Matrix thinned_edges() {
        const std::size_t n = edges_.rows;
        if (auto const* const fixed = this->noise_.fixed("node_dropout_adj")) {
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
            return tape_.constant(thinned_);
        }
        const auto mask = this->noise_.dropout("node_dropout_adj", n, 1, values_.node_dropout);
        return hadamard(tape_.constant(mask), tape_.constant(edges_));
    }

    HyperParameters values_;
    std::int32_t n_users_, n_items_;
    Csr<T> adjacency_;               // A, its own transpose
    Pattern pattern_;                // of A, where entries are dropped
    HostMatrix<T> edges_, thinned_;  // its entries, and those of a fixed object
    std::vector<LayerNames> names_;
    Tape<B> tape_;
    DistinctIds nodes_;  // of the batch
    std::vector<std::int32_t> positives_, negatives_;
    std::vector<Matrix> layers_;
    std::array<TermOf<Loss>, 2> terms_{};
};

}  // namespace polder::recsys
