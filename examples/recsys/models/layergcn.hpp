/// LayerGCN: every layer of a graph network is refined by its similarity to layer 0.
///
/// Zhou, Lin, Liu, Miao: Layer-refined Graph Convolutional Networks for Recommendation, ICDE 2023.
/// Details where the paper leaves a choice: MMRec (enoche/MMRec), src/models/layergcn.py.
///
///     P (n_users, d), Q (n_items, d)      embeddings of layer 0, the only parameters
///     R (n_users, n_items)                R_ui = 1 / sqrt((|N_u| + 1e-7) (|N_i| + 1e-7)) for i in N_u
///     R' (n_users, n_items)               the same of the edges that the epoch keeps (EdgePruning)
///
///     U^(0) = P,   U^(l+1)_u = cos((R' I^(l))_u, P_u) (R' I^(l))_u,         U = sum over l = 1..L of U^(l)
///     I^(0) = Q,   I^(l+1)_i = cos((R'^T U^(l))_i, Q_i) (R'^T U^(l))_i,     I = sum over l = 1..L of I^(l)
///     score(u, i) = U_u . I_i             with R in place of R'
///
///     x_b  = U_u . I_p - U_u . I_n        for the rows b = (u, p, n) of a batch
///     loss = sum_b -log sigma(x_b) + reg_weight / 2 sum_b (|P_u|^2 + |Q_p|^2 + |Q_n|^2)
///
/// Choices that change results, where the paper differs or a reading can go wrong:
/// - Both parts of the loss are sums over the batch, not means: radii, clipping and the learning rate of
///   SGD meet gradients about B times those of other models, and a short last batch counts less.
/// - Layer 0 is what every layer is compared with, and is not in the sum itself.
/// - The similarity is with layer 0, not with the layer before, and it is the refined row that goes on.
/// - The gradient passes through the cosines to both of their arguments. A cosine may be negative.
/// - Norms are at least 1e-8, so that a row of zeros has cosine 0 and passes no gradient on. A user or item
///   without train rows is a row of zeros: a cold item scores 0 and ranks before all negative scores.
/// - Edges are pruned once per epoch: in the first, third, ... epoch by their weight, in the others
///   all alike. With dropout = 0 all edges are kept. Scores use all edges.
/// - The chance to be kept is proportional to the weight R_ui of the full graph.
/// - A repeated train row is one edge, also among the edges to draw from.
#pragma once

#include <array>
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
#include "recsys/models/pruning.hpp"
#include "recsys/models/sides.hpp"
#include "recsys/models/smoothing.hpp"
#include "recsys/tape/operations.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Hyper-parameters of LayerGCN.
struct LayerGCNHyperParameters {
    int embedding_size = 64;
    int n_layers = 4;
    double dropout = 0.1;  // with reg_weight the best that its authors found for several data sets
    double reg_weight = 1e-3;

    using Self = LayerGCNHyperParameters;
    using Row = HyperParameter<Self>;
    static constexpr std::array table{
        Row{"embedding_size", &Self::embedding_size, 1, 65536, "d, numbers per user and item"},
        Row{"n_layers", &Self::n_layers, 1, 64, "L, propagations over the graph"},
        Row{"dropout", &Self::dropout, 0, 1, "share of the edges that an epoch leaves out"},
        Row{"reg_weight", &Self::reg_weight, 0, unlimited,
            "weight of half the squares of the batch's embeddings"},
    };
};

/// LayerGCN on one data set.
template <class B>
class LayerGCN {
    using T = typename B::Scalar;
    using Matrix = Value<B>;

public:
    using HyperParameters = LayerGCNHyperParameters;
    static constexpr std::string_view model_name = "layergcn";
    static constexpr std::string_view source = "Zhou et al., ICDE 2023";
    static constexpr PublishedSettings published[] = {
        {"mooc", "dropout=0.1:reg_weight=1e-3"},
        {"games", "dropout=0.2:reg_weight=1e-3"},
        {"food", "dropout=0.1:reg_weight=1e-2"},
        {"yelp", "dropout=0.2:reg_weight=1e-3"},
    };

    static InParts in_parts(HyperParameters const&) { return {.is_sum = true}; }

    LayerGCN(Dataset const& data, HyperParameters const& values, int)
        : values_(values), pruning_(data), graph_(normalised_interactions<T>(data)),
          pruned_(graph_), rows_(data) {}

    void parameters(ParameterList<T>& list) const {
        list.add_users("user_embedding", values_.embedding_size, xavier_uniform);
        list.add_items("item_embedding", values_.embedding_size, xavier_uniform);
    }

    void prepare_epoch(Noise<T, typename B::System> const& noise, int epoch) {
        using Chance = EdgePruning::Chance;
        auto const chance = epoch % 2 == 0 ? Chance::by_weight : Chance::uniform;
        if (values_.dropout > 0)
            pruned_ = Smoothing<B>(pruning_.prune(noise, values_.dropout, chance));
    }

    Matrix loss(OnTape<B> const& on, Triples const& batch, LossTerms<B>& terms) {
        auto const& [users, positives, negatives, number, whole] = batch;
        rows_.assign(batch);
        auto const p = on["user_embedding"], q = on["item_embedding"];
        // Taken first, so that `backward` adds these few rows to a gradient that is already full.
        auto const p_u = gather(p, users), q_p = gather(q, positives), q_n = gather(q, negatives);

        auto const [u, i] = refine(pruned_, p, q, rows_.users, rows_.items);
        auto const u_b = sum_of_layers(gather(u, users));
        auto const i_p = sum_of_layers(gather(i, positives));
        auto const i_n = sum_of_layers(gather(i, negatives));
        auto const bpr = softplus_bpr_loss(row_dot(u_b, i_p), row_dot(u_b, i_n), T(1));
        auto const squares =
            T(0.5) * (sum_of_squares(p_u) + sum_of_squares(q_p) + sum_of_squares(q_n));
        terms = {{"mf_loss", bpr}, {"reg_loss", squares}};
        return bpr + static_cast<T>(values_.reg_weight) * squares;
    }

    Sides<B> represent(OnTape<B> const& on) {
        auto const [u, i] =
            refine(graph_, on["user_embedding"], on["item_embedding"], Rows::all(), Rows::all());
        return {sum_of_layers(u), sum_of_layers(i)};
    }

    std::vector<NamedGraph<T>> graphs() const { return {{"interactions", &graph_.interactions()}}; }

private:
    // The means over l = 1..L of U^(l) and I^(l), in the rows asked for only.
    Sides<B> refine(Smoothing<B> const& graph, Matrix p, Matrix q, Rows user_rows, Rows item_rows) {
        user_layers_.clear();
        item_layers_.clear();
        Matrix u = p, i = q;
        for (int l = 1; l <= values_.n_layers; ++l) {
            bool const last = l == values_.n_layers;
            auto const to_users = propagate(graph.interactions(), graph.transposed(), i,
                                            last ? user_rows : Rows::all());
            auto const to_items = propagate(graph.transposed(), graph.interactions(), u,
                                            last ? item_rows : Rows::all());
            u = weight_by_cosine(to_users, p);
            i = weight_by_cosine(to_items, q);
            user_layers_.push_back(u);
            item_layers_.push_back(i);
        }
        return {mean(user_layers_, user_rows), mean(item_layers_, item_rows)};
    }

    // The sum over the layers that `mean` is the mean of.
    Matrix sum_of_layers(Matrix mean) const { return static_cast<T>(values_.n_layers) * mean; }

    HyperParameters values_;
    EdgePruning pruning_;
    Smoothing<B> graph_, pruned_;  // R and R'
    RowsOfBatch rows_;
    std::vector<Matrix> user_layers_, item_layers_;
};

}  // namespace polder::recsys
