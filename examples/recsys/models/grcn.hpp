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
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/models/bound_parameters.hpp"
#include "recsys/models/features.hpp"
#include "recsys/models/graph.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/model.hpp"
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

    using Row = HyperParameter<GRCNHyperParameters>;
    static constexpr double unlimited = std::numeric_limits<double>::infinity();
    static constexpr std::array table{
        Row{"embedding_size", &GRCNHyperParameters::embedding_size, 1, 65536,
            "d, numbers per node of its own"},
        Row{"latent_embedding", &GRCNHyperParameters::latent_embedding, 1, 65536,
            "c, numbers per node and modality"},
        Row{"n_layers", &GRCNHyperParameters::n_layers, 0, 64,
            "rounds in which preferences are refined, with route_to_users only"},
        Row{"reg_weight", &GRCNHyperParameters::reg_weight, 0, unlimited,
            "weight of the squares of embeddings and preferences"},
        Row{"edge_dropout", &GRCNHyperParameters::edge_dropout, 0, 0.99,
            "share of the edges that a batch leaves out"},
        Row::of(
            "route_to_users", &GRCNHyperParameters::route_to_users,
            "refine preferences by the items of a user, as in the paper; the reference does not"),
        Row::of("edge_dropout_at_inference", &GRCNHyperParameters::edge_dropout_at_inference,
                "score with the edges of the last batch instead of all"),
    };
};

/// GRCN on one data set.
template <class B>
class GRCN final : public ModelOn<B> {
    using T = typename B::Scalar;
    using typename ModelOn<B>::Arena;
    using typename ModelOn<B>::Loss;

public:
    using HyperParameters = GRCNHyperParameters;
    static constexpr std::string_view model_name = "grcn";
    static constexpr std::string_view source = "Wei et al., MM 2020";

    GRCN(Dataset const& data, HyperParameters const& values, int threads)
        : values_(check(values, model_name)), n_users_(data.n_users), n_items_(data.n_items),
          tape_(B(threads)) {
        require_features(data, model_name);
        if (!data.visual.empty()) modalities_.emplace_back("v_gcn", data.visual);
        if (!data.textual.empty()) modalities_.emplace_back("t_gcn", data.textual);
        const auto adjacency = bipartite_adjacency(binary_interactions<T>(data));
        all_edges_ = Pattern(adjacency);
        if (values_.edge_dropout == 0) return;
        const auto entry = [&](std::int32_t target, std::int32_t from) {
            const auto row = static_cast<std::size_t>(target);
            const auto begin = adjacency.columns.begin();
            const auto first = begin + static_cast<std::ptrdiff_t>(adjacency.offsets[row]);
            const auto last = begin + static_cast<std::ptrdiff_t>(adjacency.offsets[row + 1]);
            return static_cast<std::size_t>(std::lower_bound(first, last, from) - begin);
        };
        for (auto const& [user, item] : data.train)
            entries_of_rows_.push_back(
                {entry(user, n_users_ + item), entry(n_users_ + item, user)});
        numbers_.resize(all_edges_.size());
    }

    [[nodiscard]] std::string_view name() const override { return model_name; }

    [[nodiscard]] std::vector<HyperParameterValue> hyper_parameters() const override {
        return list(values_);
    }

    void declare(ParameterArena<T>& parameters) const override {
        const auto d = static_cast<std::size_t>(values_.embedding_size);
        const auto c = static_cast<std::size_t>(values_.latent_embedding);
        parameters.add("id_embedding", n_nodes(), d);
        parameters.add("confidence", n_nodes(), modalities_.size());
        for (auto const& m : modalities_) {
            parameters.add(m.preference, static_cast<std::size_t>(n_users_), c);
            parameters.add(m.weight, c, m.features.columns());
            parameters.add(m.bias, 1, c);
        }
    }

    void initialise(ParameterArena<T>& parameters, std::uint64_t seed) const override {
        xavier_normal(parameters, "id_embedding", seed);
        xavier_normal(parameters, "confidence", seed);
        for (auto const& m : modalities_) {
            xavier_normal(parameters, m.preference, seed);
            xavier_normal(parameters, m.weight, seed);
            linear_uniform(parameters, m.bias, m.features.columns(), seed);
        }
    }

    Loss loss(Arena const& parameters, Triples const& batch, Pass, Arena& gradient) override {
        this->noise_.begin_batch(batch.number);
        check(batch, n_users_, n_items_);
        assign_nodes(positives_, batch.positives);
        assign_nodes(negatives_, batch.negatives);

        tape_.reset();
        const BoundParameters<B> bound(tape_, parameters, &gradient);
        const Matrix e = bound["id_embedding"], c = bound["confidence"];
        Matrix of_embeddings = mean_of_squares(gather(e, batch.users)) +
                               T(0.5) * mean_of_squares(gather(e, positives_)) +
                               T(0.5) * mean_of_squares(gather(e, negatives_));
        preferences_.clear();
        squares_.clear();
        for (auto const& m : modalities_) {
            const Matrix p = bound[m.preference];
            preferences_.push_back(p);
            squares_.push_back(mean_of_squares(gather(p, batch.users)));
            if (m.is_visual) of_embeddings = of_embeddings + mean_of_squares(p);
        }
        const Matrix of_content = sum(squares_);

        refine(bound, e, c, edges(values_.edge_dropout > 0));
        positive_scores_.clear();
        negative_scores_.clear();
        for (const Matrix part : parts_) {
            const Matrix u = gather(part, batch.users);
            positive_scores_.push_back(row_dot(u, gather(part, positives_)));
            negative_scores_.push_back(row_dot(u, gather(part, negatives_)));
        }
        const Matrix ranking = softplus_bpr_loss(sum(positive_scores_), sum(negative_scores_),
                                                 T(1) / static_cast<T>(batch.users.size()));
        const Matrix regulariser =
            static_cast<T>(values_.reg_weight) * (of_embeddings + of_content);
        const Matrix total = ranking + regulariser;
        tape_.backward(total);

        terms_ = {{{"loss", ranking.loss()},
                   {"reg_embedding_loss", of_embeddings.loss()},
                   {"reg_content_loss", of_content.loss()},
                   {"reg_loss", regulariser.loss()},
                   {"reg_confid_loss_unused", mean_of_squares(c).loss()}}};
        return total.loss();
    }

    [[nodiscard]] std::vector<LossTerm> terms() const override { return read_terms<B>(terms_); }

    [[nodiscard]] Representations<T> representations(Arena const& parameters) override {
        tape_.reset();
        const BoundParameters<B> bound(tape_, parameters);
        preferences_.clear();
        for (auto const& m : modalities_) preferences_.push_back(bound[m.preference]);
        refine(bound, bound["id_embedding"], bound["confidence"],
               edges(values_.edge_dropout > 0 && values_.edge_dropout_at_inference));
        const auto r = concatenate_columns(parts_).value();
        const auto n_users = static_cast<std::size_t>(n_users_);
        return {row_range(r, 0, n_users), row_range(r, n_users, r.rows - n_users)};
    }

private:
    using Matrix = Value<B>;

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

    [[nodiscard]] std::size_t n_nodes() const {
        return static_cast<std::size_t>(n_users_) + static_cast<std::size_t>(n_items_);
    }

    void assign_nodes(std::vector<std::int32_t>& nodes, std::span<std::int32_t const> items) const {
        nodes.assign(items.begin(), items.end());
        for (std::int32_t& node : nodes) node += n_users_;
    }

    // All edges, or those that the batch keeps.
    Pattern const& edges(bool dropout) {
        if (!dropout) return all_edges_;
        constexpr std::string_view name = "edge_dropout";
        std::fill(numbers_.begin(), numbers_.end(), -1);
        const auto keep = [&](std::size_t row) {
            for (const std::size_t entry : entries_of_rows_[row]) numbers_[entry] = 0;
        };
        if (auto const* kept = this->noise_.fixed(name)) {
            for (const double row : *kept) {
                if (!(row >= 0 && row < static_cast<double>(entries_of_rows_.size())))
                    throw std::invalid_argument("noise: '" + std::string(name) + "' keeps edge " +
                                                std::to_string(row) + ", expected less than " +
                                                std::to_string(entries_of_rows_.size()));
                keep(static_cast<std::size_t>(row));
            }
        } else {
            Random random = this->noise_.of_batch(name);
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
        const Matrix alpha = edge_softmax(edges, edge_dot(edges, x, x), T(1e-16));
        return {alpha, propagate(edges, alpha, x)};
    }

    // H_id, H_visual and H_textual become `parts_`.
    void refine(BoundParameters<B> const& bound, Matrix e, Matrix c, Pattern const& edges) {
        std::span<std::int32_t const> sources = edges.by_row.ends;
        contents_.clear();
        votes_.clear();
        for (std::size_t m = 0; m < modalities_.size(); ++m) {
            const Matrix features = tape_.constant(modalities_[m].features);
            const Matrix f = normalise_rows(leaky_relu(
                linear(features, bound[modalities_[m].weight], bound[modalities_[m].bias])));
            Matrix p = normalise_rows(preferences_[m]);
            for (int l = 0; values_.route_to_users && l < values_.n_layers; ++l) {
                const Matrix y = attention(edges, concatenate_rows(p, f)).output;
                p = normalise_rows(p + slice_rows(y, 0, p.rows()));
            }
            const Matrix x = concatenate_rows(p, f);
            const auto [alpha, y] = attention(edges, x);
            contents_.push_back(x + y);
            votes_.push_back(hadamard(alpha, gather(slice_columns(c, m, 1), sources)));
        }
        const Matrix w = relu(votes_.size() == 1 ? votes_[0] : maximum(votes_[0], votes_[1]));
        const Matrix x_0 = normalise_rows(e), x_1 = propagate(edges, w, x_0);
        parts_.assign(1, sum({x_0, x_1, propagate(edges, w, x_1)}));
        parts_.insert(parts_.end(), contents_.begin(), contents_.end());
    }

    HyperParameters values_;
    std::int32_t n_users_, n_items_;
    std::vector<Modality> modalities_;
    Pattern all_edges_, kept_edges_;                           // rows: targets, columns: sources
    std::vector<std::array<std::size_t, 2>> entries_of_rows_;  // of a train row, both directions
    std::vector<std::int32_t> numbers_;
    Tape<B> tape_;
    std::vector<std::int32_t> positives_, negatives_;  // nodes
    std::vector<Matrix> preferences_, squares_, contents_, votes_, parts_, positive_scores_,
        negative_scores_;
    std::array<TermOf<Loss>, 5> terms_{};
};

}  // namespace polder::recsys
