/// DRAGON: a branch per modality over the graph of users and items, kept side by side; then users learn
/// from users who chose the same items, and items from items with similar features.
///
/// Zhou, Zhou, Zhang, Shen: Enhancing Dyadic Relations with Homogeneous Graphs for Multimodal
/// Recommendation, ECAI 2023. Details where the paper leaves a choice: MMRec (enoche/MMRec),
/// src/models/dragon.py.
///
///     X_v, X_t (n_users + n_items, d)     of the visual and the textual branch: FeatureGcn, with
///                                         preferences P_v, P_t (n_users, d) and a layer of 4 d each
///     w (n_users, 2)                      weights of the modalities, (w_u1, w_u2) for user u
///     H (n_users, n_users)                k neighbours of every user, weighted: UserGraph
///     M (n_items, n_items)                items with similar features: frozen_item_graph
///
///     U'_u = [w_u1 X_v,u , w_u2 X_t,u],    U = U' + H U'
///     I'_i = [X_v,i , X_t,i],              I = I' + M^n I',    n = n_mm_layers
///     score(u, i) = U_u . I_i                                  of 2 d columns
///
///     x_b = U_u . I_p - U_u . I_n          for the rows b = (u, p, n) of a batch of B
///     loss = -(1/B) sum_b log_2 sigma(x_b)
///            + reg_weight (mean (P_v)_u^2 + mean (P_t)_u^2 + mean w^2)
///
/// The means are over the entries of the batch's rows (B x d; a user that occurs twice counts twice), and
/// of the whole table w. With one modality, U' and I' are its X alone, unweighted.
///
/// Choices that change results, where a reading can go wrong:
/// - The logarithm is to base 2: the ranking loss is 1.4427 times the usual one against the regulariser.
/// - Layers of a branch are summed, not averaged; modalities are put side by side as they are, and only
///   users weigh them.
/// - w starts as a softmax (about 1/2 each) and is not normalised again.
/// - Features are constants. The reference registers trainable tables of them, weights of items and layers
///   image_trs, text_trs, MLP_v, MLP_t and MLP_user, none of which takes part: they do not exist here. Nor
///   does its list of items that are dropped from a modality.
/// - The width of the branches and embedding_size are the same number here (both 64 there); there are two
///   layers whatever n_layers of the reference says.
/// - The softmax over plain counts of common items is sharp: five items more weigh 148 times as much.
/// - Of equal counts and of equal similarities lower ids come first; the reference leaves that open.
/// - Degrees have no guard: a node without train rows keeps its layer 0. A repeated train row is one edge
///   here; the reference has two.
/// - Scores are those of the parameters given. The reference scores with the last training batch's vectors,
///   one step behind.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/models/bound_parameters.hpp"
#include "recsys/models/convolution.hpp"
#include "recsys/models/feature_gcn.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/item_graph.hpp"
#include "recsys/models/model.hpp"
#include "recsys/models/similar_items.hpp"
#include "recsys/models/user_graph.hpp"
#include "recsys/tape/operations.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Hyper-parameters of DRAGON. The reference searches reg_weight in 1e-1 .. 1e-5; the default is that of
/// the authors' runs on Baby and Sports.
struct DRAGONHyperParameters {
    int embedding_size = 64;
    double reg_weight = 1e-3;
    int knn_k = 10;
    int n_mm_layers = 1;
    double mm_image_weight = 0.1;
    int user_graph_k = 40;
    std::string user_aggr_mode = "softmax";
    std::string aggr_mode = "add";

    using Row = HyperParameter<DRAGONHyperParameters>;
    static constexpr double unlimited = std::numeric_limits<double>::infinity();
    static constexpr std::array table{
        Row{"embedding_size", &DRAGONHyperParameters::embedding_size, 1, 65536,
            "d, numbers per user, item and modality"},
        Row{"reg_weight", &DRAGONHyperParameters::reg_weight, 0, unlimited,
            "weight of the squares of preferences and of modality weights"},
        Row{"knn_k", &DRAGONHyperParameters::knn_k, 1, 65536,
            "neighbours of an item in the graph of items, itself included"},
        Row{"n_mm_layers", &DRAGONHyperParameters::n_mm_layers, 0, 64,
            "n, propagations over the graph of items"},
        Row{"mm_image_weight", &DRAGONHyperParameters::mm_image_weight, 0, 1,
            "share of the visual modality in the graph of items"},
        Row{"user_graph_k", &DRAGONHyperParameters::user_graph_k, 1, 200,
            "k, neighbours of a user in the graph of users"},
        Row::of("user_aggr_mode", &DRAGONHyperParameters::user_aggr_mode,
                "weights of these neighbours: softmax of the items in common, or equal ones",
                "softmax|mean"),
        Row::of("aggr_mode", &DRAGONHyperParameters::aggr_mode,
                "sum over neighbours in the graph of users and items: normalised by both degrees "
                "(add), or the mean",
                "add|mean"),
    };
};

/// DRAGON on one data set.
template <class B>
class DRAGON final : public ModelOn<B> {
    using T = typename B::Scalar;
    using typename ModelOn<B>::Arena;
    using typename ModelOn<B>::Loss;

public:
    using HyperParameters = DRAGONHyperParameters;
    static constexpr std::string_view model_name = "dragon";
    static constexpr std::string_view source = "Zhou et al., ECAI 2023";
    static constexpr PublishedSettings published[] = {
        {"baby", "learning_rate=1e-4:reg_weight=1e-3"},
        {"sports", "learning_rate=1e-4:reg_weight=1e-3"},
        {"clothing", "learning_rate=1e-4:reg_weight=1e-1"},
    };

    DRAGON(Dataset const& data, HyperParameters const& values, int threads)
        : values_(check(values, model_name)), n_users_(data.n_users), n_items_(data.n_items),
          branches_(feature_branches<B>(data, values.embedding_size, model_name)),
          convolution_(values.aggr_mode == "add" ? Convolution<T>::symmetric(data)
                                                 : Convolution<T>::mean(data)),
          with_similar_(frozen_item_graph<T>(data, values.knn_k, values.mm_image_weight, threads),
                        values.n_mm_layers),
          user_graph_(data, values.user_graph_k, values.user_aggr_mode == "softmax", threads),
          tape_(B(threads)) {
        terms_ = {{"loss_value", {}}, {"reg_loss", {}}};
        for (auto const& branch : branches_)
            terms_.push_back(
                {branch.is_visual ? "reg_embedding_loss_v" : "reg_embedding_loss_t", {}});
        prepare_epoch(0);
    }

    [[nodiscard]] std::string_view name() const override { return model_name; }

    [[nodiscard]] std::vector<HyperParameterValue> hyper_parameters() const override {
        return list(values_);
    }

    void declare(ParameterArena<T>& parameters) const override {
        parameters.add("weight_u", static_cast<std::size_t>(n_users_), 2);
        for (auto const& branch : branches_) branch.gcn.declare(parameters);
    }

    void initialise(ParameterArena<T>& parameters, std::uint64_t seed) const override {
        initialise_modality_weights(parameters, "weight_u", seed);
        for (auto const& branch : branches_) branch.gcn.initialise(parameters, seed);
    }

    Loss loss(Arena const& parameters, Triples const& batch, Pass, Arena& gradient) override {
        check(batch, n_users_, n_items_);
        batch_users_.assign(static_cast<std::size_t>(n_users_), {batch.users});
        batch_items_.assign(static_cast<std::size_t>(n_items_), {batch.positives, batch.negatives});

        tape_.reset();
        const BoundParameters<B> bound(tape_, parameters, &gradient);
        const Matrix w = bound["weight_u"];
        Matrix squares = mean_of_squares(w);
        preferences_.clear();
        for (std::size_t m = 0; m < branches_.size(); ++m) {
            preferences_.push_back(branches_[m].gcn.preference(bound));
            const Matrix term = mean_of_squares(gather(preferences_[m], batch.users));
            terms_[2 + m].value = term.loss();
            squares = squares + term;
        }

        // An inner product of rows side by side is the sum of those of their parts.
        positive_scores_.clear();
        negative_scores_.clear();
        for (std::size_t m = 0; m < branches_.size(); ++m) {
            const auto [users, items] = smoothed(bound, w, m);
            const Matrix own = gather(users, batch.users);
            const Matrix u = own + gather(user_graph_(users, batch_users_), batch.users);
            const Matrix i = with_similar_(items, batch_items_);
            positive_scores_.push_back(row_dot(u, gather(i, batch.positives)));
            negative_scores_.push_back(row_dot(u, gather(i, batch.negatives)));
        }
        const Matrix ranking = softplus_bpr_loss(
            sum(positive_scores_), sum(negative_scores_),
            static_cast<T>(1 / (std::numbers::ln2 * static_cast<double>(batch.users.size()))));
        const Matrix regulariser = static_cast<T>(values_.reg_weight) * squares;
        const Matrix total = ranking + regulariser;
        tape_.backward(total);

        terms_[0].value = ranking.loss();
        terms_[1].value = regulariser.loss();
        return total.loss();
    }

    [[nodiscard]] std::vector<LossTerm> terms() const override { return read_terms<B>(terms_); }

    [[nodiscard]] Representations<T> representations(Arena const& parameters) override {
        tape_.reset();
        const BoundParameters<B> bound(tape_, parameters);
        const Matrix w = bound["weight_u"];
        preferences_.clear();
        for (auto const& branch : branches_) preferences_.push_back(branch.gcn.preference(bound));
        std::vector<Matrix> user_parts, item_parts;
        for (std::size_t m = 0; m < branches_.size(); ++m) {
            const auto [users, items] = smoothed(bound, w, m);
            user_parts.push_back(users + user_graph_(users));
            item_parts.push_back(with_similar_(items));
        }
        return {concatenate_columns(user_parts).value(), concatenate_columns(item_parts).value()};
    }

    [[nodiscard]] std::vector<NamedGraph<T>> graphs() const override {
        return {{"mm_adj", &with_similar_.graph()}};
    }

private:
    using Matrix = Value<B>;
    using Smoothed = typename FeatureGcn<B>::Smoothed;

    void prepare_epoch(int) override { user_graph_.sample(this->noise_); }

    // The columns of U' and I' that are those of modality m.
    Smoothed smoothed(BoundParameters<B> const& bound, Matrix w, std::size_t m) {
        auto const& gcn = branches_[m].gcn;
        const Matrix features = tape_.constant(branches_[m].features);
        const Smoothed x = gcn.smooth(gcn.layer_0(bound, preferences_[m], features), convolution_);
        if (branches_.size() == 1) return x;
        return {scale_rows(slice_columns(w, m, 1), x.users), x.items};
    }

    HyperParameters values_;
    std::int32_t n_users_, n_items_;
    std::vector<FeatureBranch<B>> branches_;
    Convolution<T> convolution_;
    SimilarItems<T> with_similar_;
    UserGraph<T> user_graph_;
    Tape<B> tape_;
    RowSet batch_users_, batch_items_;
    std::vector<Matrix> preferences_, positive_scores_, negative_scores_;
    std::vector<TermOf<Loss>> terms_;
};

}  // namespace polder::recsys
