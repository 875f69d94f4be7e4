/// FREEDOM: a frozen graph of similar items beside a graph of users and items that is denoised.
///
/// Zhou, Shen: A Tale of Two Graphs: Freezing and Denoising Graph Structures for Multimodal
/// Recommendation, MM 2023. Details where the paper leaves a choice: MMRec (enoche/MMRec),
/// src/models/freedom.py.
///
///     P (n_users, d), Q (n_items, d)             embeddings
///     F_m (n_items, D_m), W_m (d, D_m), b_m (d)  features of modality m (visual, textual, ...), which are
///                                                trained, and their projection
///     M (n_items, n_items)                       the frozen item graph (frozen_item_graph)
///     R (n_users, n_items)                       R_ui = 1 / sqrt((|N_u| + 1e-7) (|N_i| + 1e-7)) for i in N_u
///     R' (n_users, n_items)                      the same of the edges that the epoch keeps (EdgePruning)
///
///     H = M^n Q
///     U^(0) = P,   U^(l+1) = R' I^(l)            U = mean over l = 0..L of U^(l)
///     I^(0) = Q,   I^(l+1) = R'^T U^(l)          I = H + mean over l = 0..L of I^(l)
///     score(u, i) = U_u . I_i                    with R in place of R'
///
///     T_m = F_m W_m^T + b_m
///     bpr(X, Y) = -(1/B) sum_b log sigma(X_u . Y_p - X_u . Y_n)   for the rows b = (u, p, n) of a batch of B
///     loss = bpr(U, I) + reg_weight sum_m bpr(U, T_m)
///
/// Choices that change results, where the paper differs or a reading can go wrong:
/// - M is a binary graph normalised by its row sums, which are all k: every edge is 1/k. Neither cosines nor
///   in-degrees enter.
/// - Edges are pruned once per epoch, by their chance to be kept, and what is left is normalised anew. Nodes
///   without edges have rows of zeros in R': their U or I is their embedding / (L + 1), plus H.
/// - Scores use all edges.
/// - The features are parameters: with Adam a row drifts on its moments also in batches without it. M is
///   that of the raw features and never changes, and T_m is not part of a score. So raw features act on
///   scores through M alone, and noise in the tables F_m does not act at all.
/// - The auxiliary terms rank with the smoothed users U, not with P, and their gradient reaches the graph.
/// - There is no L2 term. The normalisation of H that LATTICE has is left out.
/// - A repeated train row is one edge, also among the edges to draw from.
/// - b_m cancels in T_p - T_n: its gradient is rounding noise.
/// - With one modality M and the loss have that one only, and M has no weight.
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/data/triples.hpp"
#include "recsys/models/distinct_ids.hpp"
#include "recsys/models/graph.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/item_graph.hpp"
#include "recsys/models/modalities.hpp"
#include "recsys/models/model.hpp"
#include "recsys/models/on_tape.hpp"
#include "recsys/models/parameter_list.hpp"
#include "recsys/models/pruning.hpp"
#include "recsys/models/sides.hpp"
#include "recsys/models/smoothing.hpp"
#include "recsys/tape/operations.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Hyper-parameters of FREEDOM.
struct FREEDOMHyperParameters {
    int embedding_size = 64;
    int n_mm_layers = 1;
    int n_ui_layers = 2;
    int knn_k = 10;
    double mm_image_weight = 0.1;
    double dropout = 0.8;      // of the reference's grid 0.8, 0.9
    double reg_weight = 1e-3;  // of the reference's grid 0, 1e-5, 1e-4, 1e-3

    using Self = FREEDOMHyperParameters;
    using Row = HyperParameter<Self>;
    static constexpr std::array table{
        Row{"embedding_size", &Self::embedding_size, 1, 65536, "d, numbers per user and item"},
        Row{"n_mm_layers", &Self::n_mm_layers, 0, 64, "n, propagations over the item graph"},
        Row{"n_ui_layers", &Self::n_ui_layers, 0, 64,
            "L, propagations over the graph of users and items"},
        Row{"knn_k", &Self::knn_k, 1, 65536,
            "k, neighbours of an item in the item graph, itself included"},
        Row{"mm_image_weight", &Self::mm_image_weight, 0, 1,
            "share of the visual modality in the item graph"},
        Row{"dropout", &Self::dropout, 0, 1,
            "share of the edges between users and items that an epoch leaves out"},
        Row{"reg_weight", &Self::reg_weight, 0, unlimited,
            "weight of the ranking by projected features"},
    };
};

/// FREEDOM on one data set.
template <class B>
class FREEDOM {
    using T = typename B::Scalar;
    using Matrix = Value<B>;

public:
    using HyperParameters = FREEDOMHyperParameters;
    static constexpr std::string_view model_name = "freedom";
    static constexpr std::string_view source = "Zhou, Shen, MM 2023";

    static InParts in_parts(HyperParameters const&) { return {}; }

    FREEDOM(Dataset const& data, HyperParameters const& values, int threads)
        : values_(values), modalities_(modalities<T>(data, model_name)),
          item_graph_(frozen_item_graph<T>(data, values_.knn_k, values_.mm_image_weight, threads)),
          transposed_item_graph_(transpose(item_graph_)), pruning_(data),
          graph_(normalised_interactions<T>(data)), pruned_(graph_) {}

    void parameters(ParameterList<T>& list) const {
        auto const d = values_.embedding_size;
        list.add_users("user_embedding", d, xavier_uniform);
        list.add_items("item_embedding", d, xavier_uniform);
        for (auto const& m : modalities_)
            m.parameters(list, d, LinearUniform(m.features.columns()));
    }

    void prepare_epoch(Noise<T, typename B::System> const& noise, int) {
        if (values_.dropout > 0)
            pruned_ = Smoothing<B>(
                pruning_.prune(noise, values_.dropout, EdgePruning::Chance::by_weight));
    }

    Matrix loss(OnTape<B> const& on, Triples const& batch, LossTerms<B>& terms) {
        auto const& [users, positives, negatives, number, whole] = batch;
        users_.assign(graph_.interactions().rows, {users});
        items_.assign(graph_.interactions().cols, {positives, negatives});

        auto const p = on["user_embedding"], q = on["item_embedding"];
        auto const h = similar_items(q, items_.set());
        auto const [u, i] =
            pruned_.mean_of_layers({p, q}, values_.n_ui_layers, users_, items_.set());
        auto const u_b = gather(u, users);
        auto const bpr = ranking_loss(u_b, gather(i, positives) + gather(h, positives),
                                      gather(i, negatives) + gather(h, negatives));

        auto total = bpr;
        std::optional<Matrix> of_visual, of_textual, of_further;
        for (auto const& m : modalities_) {
            auto const f = on[m.table], w = on[m.weight], b = on[m.bias];
            auto const t = linear(gather(f, items_.ids()), w, b);
            auto const by_features =
                ranking_loss(u_b, gather(t, items_.places(0)), gather(t, items_.places(1)));
            total = total + static_cast<T>(values_.reg_weight) * by_features;
            if (m.is_further)
                of_further = of_further ? *of_further + by_features : by_features;
            else
                (m.is_visual ? of_visual : of_textual) = by_features;
        }
        terms = {{"batch_mf_loss", bpr}, {"mf_v_loss", of_visual}, {"mf_t_loss", of_textual}};
        if (of_further) terms.add("mf_further_loss", of_further);
        return total;
    }

    Sides<B> represent(OnTape<B> const& on) {
        auto const p = on["user_embedding"], q = on["item_embedding"];
        auto const [u, i] = graph_.mean_of_layers({p, q}, values_.n_ui_layers);
        return {u, i + similar_items(q)};
    }

    std::vector<NamedGraph<T>> graphs() const {
        return {{"interactions", &graph_.interactions()}, {"mm_adj", &item_graph_}};
    }

private:
    // H, in the rows asked for only.
    Matrix similar_items(Matrix q, Rows rows = Rows::all()) {
        Matrix h = q;
        for (int l = 1; l <= values_.n_mm_layers; ++l)
            h = propagate(item_graph_, transposed_item_graph_, h,
                          l == values_.n_mm_layers ? rows : Rows::all());
        return h;
    }

    HyperParameters values_;
    std::vector<Modality<T>> modalities_;
    Csr<T> item_graph_, transposed_item_graph_;  // M and M^T
    EdgePruning pruning_;
    Smoothing<B> graph_, pruned_;  // R and R'
    RowSet users_;                 // of the batch
    DistinctIds items_;
};

}  // namespace polder::recsys
