/// GRCN: users and items by their own embedding, propagated along edges that are weighed, and cut, by how
/// well the features of their ends agree.
///
/// Wei, Wang, Nie, He, Chua: Graph-Refined Convolutional Network for Multimedia Recommendation with
/// Implicit Feedback, MM 2020. Details where the paper leaves a choice: MMRec (enoche/MMRec),
/// src/models/grcn.py.
///
///     E (n, d)               embeddings of the n = n_users + n_items nodes, users first
///     P_m (n_users, c)       preferences in modality m, visual or textual
///     C (n, modalities)      confidence of the messages of a node in every modality
///     F_m (n_items, D_m)     features; W_m (c, D_m), b_m
///     s -> t                 an edge in each direction for every distinct pair of the train rows
///     unit                   every row divided by its norm
///
///     attention of X (n, c):  alpha_st = exp(X_s . X_t) / (sum over the edges s' -> t of exp(X_s' . X_t))
///                             Y_t = sum over the edges s -> t of alpha_st X_s
///     content       X_m = [unit(P_m); unit(leaky_relu(F_m W_m^T + b_m))],   alpha_m, Y_m its attention,
///                   H_m = X_m + Y_m
///     edge weights  w_st = max(0, max over m of alpha_m,st C_s,m)
///     identity      X^(0) = unit(E),   X^(l)_t = sum over the edges s -> t of w_st X^(l-1)_s,
///                   H_id = X^(0) + X^(1) + X^(2)
///     R = [H_id, H_visual, H_textual]
///     score(u, i) = R_u . R_i                of d + 2 c columns
///
///     x_b = R_u . R_p - R_u . R_n            for the rows b = (u, p, n) of a batch of B
///     loss = -(1/B) sum_b log sigma(x_b) + reg_weight (
///                mean E_u^2 + (mean E_p^2 + mean E_n^2) / 2 + mean P_visual^2 + sum_m mean (P_m)_u^2 )
///
/// The means are over the entries of the batch's rows, and for P_visual once more over the whole table.
///
/// Choices that change results, where a reading can go wrong:
/// - The paper first refines preferences by the items of a user, n_layers times: p <- unit(p + Y_user).
///   The reference propagates along the edges towards items only, so that users receive nothing and
///   n_layers has no effect. That is the default; route_to_users = true does what the paper says.
/// - The confidence is that of the node a message comes from, the softmax is over the messages a node
///   receives: the two directions of an edge have different weights.
/// - Attention is differentiated: the ranking by identities trains preferences and features, too, in the
///   modality that is the larger one. Where both are equal it is the visual one.
/// - A node with no positive confidence sends nothing, and no gradient changes that. At the start these
///   are a quarter of the nodes, and the weights of the others are about 0.01 times alpha. C has no
///   regulariser: its mean square is computed and not used.
/// - P_visual is regularised twice, as a whole and by the batch's rows; P_textual by rows only, W_m and C
///   not at all.
/// - unit has no part in the regulariser, and the norms in unit are at least 1e-12.
/// - The softmax's sum has 1e-16 added, after the largest product is taken out.
/// - Edge dropout draws edges of both directions together, per batch, without rescaling. Its rate is 0 in
///   the reference, which would score with the last batch's edges: edge_dropout_at_inference = true. Here
///   all edges are used to score.
/// - With textual features alone the reference fails; here they are then the only modality.
/// - Scores are those of the parameters given. The reference scores with the last training batch's
///   vectors, one step behind. A repeated train row is one edge here; the reference has two.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/data/triples.hpp"
#include "recsys/models/features.hpp"
#include "recsys/models/graph.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/on_tape.hpp"
#include "recsys/models/parameter_list.hpp"
#include "recsys/models/sides.hpp"
#include "recsys/tape/operations.hpp"
#include "recsys/tape/pattern.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Hyper-parameters of GRCN. The reference searches reg_weight in 1e-1 .. 1e-5; the default is that of
/// the authors' own code.
struct GRCNHyperParameters {
    int embedding_size = 64;
    int latent_embedding = 64;
    int n_layers = 3;
    double reg_weight = 1e-5;
    double edge_dropout = 0;
    bool route_to_users = false;
    bool edge_dropout_at_inference = false;

    using Self = GRCNHyperParameters;
    using Row = HyperParameter<Self>;
    static constexpr std::array table{
        Row{"embedding_size", &Self::embedding_size, 1, 65536, "d, numbers per node of its own"},
        Row{"latent_embedding", &Self::latent_embedding, 1, 65536,
            "c, numbers per node and modality"},
        Row{"n_layers", &Self::n_layers, 0, 64,
            "rounds in which preferences are refined, with route_to_users only"},
        Row{"reg_weight", &Self::reg_weight, 0, unlimited,
            "weight of the squares of embeddings and preferences"},
        Row{"edge_dropout", &Self::edge_dropout, 0, 0.99,
            "share of the edges that a batch leaves out"},
        Row::of(
            "route_to_users", &Self::route_to_users,
            "refine preferences by the items of a user, as in the paper; the reference does not"),
        Row::of("edge_dropout_at_inference", &Self::edge_dropout_at_inference,
                "score with the edges of the last batch instead of all"),
    };
};

/// GRCN on one data set.
template <class B>
class GRCN {
    using T = typename B::Scalar;
    using Matrix = Value<B>;

public:
    using HyperParameters = GRCNHyperParameters;
    static constexpr std::string_view model_name = "grcn";
    static constexpr std::string_view source = "Wei et al., MM 2020";

    static InParts in_parts(HyperParameters const&) { return {}; }

    GRCN(Dataset const& data, HyperParameters const& values, int)
        : values_(values), n_users_(data.n_users) {
        require_features(data, model_name, Takes::any_number);
        if (!data.visual.empty()) modalities_.emplace_back("v_gcn", data.visual);
        if (!data.textual.empty()) modalities_.emplace_back("t_gcn", data.textual);
        for (auto const& each : data.further)
            modalities_.emplace_back(each.name + "_gcn", each.features);
        auto const adjacency = bipartite_adjacency(binary_interactions<T>(data));
        all_edges_ = Pattern(adjacency);
        if (values_.edge_dropout == 0) return;
        auto const entry = [&](std::int32_t target, std::int32_t from) {
            auto const row = static_cast<std::size_t>(target);
            auto const begin = adjacency.columns.begin();
            auto const first = begin + static_cast<std::ptrdiff_t>(adjacency.offsets[row]);
            auto const last = begin + static_cast<std::ptrdiff_t>(adjacency.offsets[row + 1]);
            return static_cast<std::size_t>(std::lower_bound(first, last, from) - begin);
        };
        for (auto const& [user, item] : data.train)
            entries_of_rows_.push_back(
                {entry(user, n_users_ + item), entry(n_users_ + item, user)});
        numbers_.resize(all_edges_.size());
    }

    void parameters(ParameterList<T>& list) const {
        auto const c = values_.latent_embedding;
        list.add_nodes("id_embedding", values_.embedding_size, xavier_normal);
        list.add_nodes("confidence", modalities_.size(), xavier_normal);
        for (auto const& m : modalities_) {
            auto const inputs = m.features.columns();
            list.add_users(m.preference, c, xavier_normal);
            list.add(m.weight, c, inputs, xavier_normal);
            list.add(m.bias, 1, c, LinearUniform(inputs));
        }
    }

    Matrix loss(OnTape<B> const& on, Triples const& batch, LossTerms<B>& terms) {
        assign_item_nodes(positives_, batch.positives, n_users_);
        assign_item_nodes(negatives_, batch.negatives, n_users_);

        Matrix const e = on["id_embedding"], c = on["confidence"];
        Matrix of_embeddings = mean_of_squares(gather(e, batch.users)) +
                               T(0.5) * mean_of_squares(gather(e, positives_)) +
                               T(0.5) * mean_of_squares(gather(e, negatives_));
        preferences_.clear();
        squares_.clear();
        for (auto const& m : modalities_) {
            Matrix const p = on[m.preference];
            preferences_.push_back(p);
            squares_.push_back(mean_of_squares(gather(p, batch.users)));
            if (m.is_visual) of_embeddings = of_embeddings + mean_of_squares(p);
        }
        Matrix const of_content = sum(squares_);

        refine(on, e, c, edges(on.noise(), values_.edge_dropout > 0));
        // An inner product of rows side by side is the sum of those of their parts.
        positive_scores_.clear();
        negative_scores_.clear();
        for (Matrix const part : parts_) {
            Matrix const u = gather(part, batch.users);
            positive_scores_.push_back(row_dot(u, gather(part, positives_)));
            negative_scores_.push_back(row_dot(u, gather(part, negatives_)));
        }
        Matrix const ranking = softplus_bpr_loss(sum(positive_scores_), sum(negative_scores_),
                                                 T(1) / static_cast<T>(batch.size()));
        Matrix const regulariser =
            static_cast<T>(values_.reg_weight) * (of_embeddings + of_content);
        terms = {{"loss", ranking},
                 {"reg_embedding_loss", of_embeddings},
                 {"reg_content_loss", of_content},
                 {"reg_loss", regulariser},
                 {"reg_confid_loss_unused", mean_of_squares(c)}};
        return ranking + regulariser;
    }

    Sides<B> represent(OnTape<B> const& on) {
        preferences_.clear();
        for (auto const& m : modalities_) preferences_.push_back(on[m.preference]);
        refine(on, on["id_embedding"], on["confidence"],
               edges(on.noise(), values_.edge_dropout > 0 && values_.edge_dropout_at_inference));
        return sides(concatenate_columns(parts_), static_cast<std::size_t>(n_users_));
    }

private:
    struct Modality {
        Modality(std::string const& name, FeatureMatrix const& from)
            : preference(name + ".preference"), weight(name + ".MLP.weight"),
              bias(name + ".MLP.bias"), features(from), is_visual(name == "v_gcn") {}

        std::string preference, weight, bias;
        Features<T> features;
        bool is_visual;
    };

    struct Attention {
        Matrix weights, output;  // alpha, Y
    };

    // All edges, or those that the batch keeps.
    Pattern const& edges(Noise<T, typename B::System> const& noise, bool dropout) {
        if (!dropout) return all_edges_;
        constexpr std::string_view name = "edge_dropout";
        std::fill(numbers_.begin(), numbers_.end(), -1);
        auto const keep = [&](std::size_t row) {
            for (std::size_t const entry : entries_of_rows_[row]) numbers_[entry] = 0;
        };
        if (auto const* kept = noise.fixed(name)) {
            for (double const row : *kept) {
                if (!(row >= 0 && row < static_cast<double>(entries_of_rows_.size())))
                    throw std::invalid_argument("noise: '" + std::string(name) + "' keeps edge " +
                                                std::to_string(row) + ", expected less than " +
                                                std::to_string(entries_of_rows_.size()));
                keep(static_cast<std::size_t>(row));
            }
        } else {
            Random random = noise.of_batch(name);
            for (std::size_t row = 0; row < entries_of_rows_.size(); ++row)
                if (random.uniform() >= values_.edge_dropout) keep(row);
        }
        std::int32_t n = 0;
        for (std::int32_t& number : numbers_)
            if (number == 0) number = n++;
        kept_edges_.assign(all_edges_, numbers_);
        return kept_edges_;
    }

    static Attention attention(Pattern const& edges, Matrix x) {
        Matrix const alpha = edge_softmax(edges, edge_dot(edges, x, x), T(1e-16));
        return {alpha, propagate(edges, alpha, x)};
    }

    // H_id, H_visual, H_textual and those of further modalities become `parts_`.
    void refine(OnTape<B> const& on, Matrix e, Matrix c, Pattern const& edges) {
        std::span<std::int32_t const> sources = edges.by_row.ends;
        contents_.clear();
        votes_.clear();
        for (std::size_t m = 0; m < modalities_.size(); ++m) {
            Matrix const features = on.constant(modalities_[m].features);
            Matrix const f = normalise_rows(
                leaky_relu(linear(features, on[modalities_[m].weight], on[modalities_[m].bias])));
            Matrix p = normalise_rows(preferences_[m]);
            for (int l = 0; values_.route_to_users && l < values_.n_layers; ++l) {
                Matrix const y = attention(edges, concatenate_rows(p, f)).output;
                p = normalise_rows(p + slice_rows(y, 0, p.rows()));
            }
            Matrix const x = concatenate_rows(p, f);
            auto const [alpha, y] = attention(edges, x);
            contents_.push_back(x + y);
            votes_.push_back(hadamard(alpha, gather(slice_columns(c, m, 1), sources)));
        }
        Matrix largest = votes_[0];
        for (std::size_t m = 1; m < votes_.size(); ++m) largest = maximum(largest, votes_[m]);
        Matrix const w = relu(largest);
        Matrix const x_0 = normalise_rows(e), x_1 = propagate(edges, w, x_0);
        parts_.assign(1, sum({x_0, x_1, propagate(edges, w, x_1)}));
        parts_.insert(parts_.end(), contents_.begin(), contents_.end());
    }

    HyperParameters values_;
    std::int32_t n_users_;
    std::vector<Modality> modalities_;
    Pattern all_edges_, kept_edges_;                           // rows: targets, columns: sources
    std::vector<std::array<std::size_t, 2>> entries_of_rows_;  // of a train row, both directions
    std::vector<std::int32_t> numbers_;
    std::vector<std::int32_t> positives_, negatives_;  // nodes
    std::vector<Matrix> preferences_, squares_, contents_, votes_, parts_, positive_scores_,
        negative_scores_;
};

}  // namespace polder::recsys
