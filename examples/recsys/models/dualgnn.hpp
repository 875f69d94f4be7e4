/// DualGNN: a branch per modality over the graph of users and items, users fuse the modalities by weights
/// of their own, and then learn from users who chose the same items.
///
/// Wang, Wei, Yin, Wu, Song, Nie: DualGNN: Dual Graph Neural Network for Multimedia Recommendation, IEEE
/// Transactions on Multimedia 25, 2023 (online 2021). Details where the paper leaves a choice: MMRec
/// (enoche/MMRec), src/models/dualgnn.py.
///
///     X_v, X_t (n_users + n_items, d)     of the visual and the textual branch: FeatureGcn, with
///                                         preferences P_v, P_t (n_users, d) and a layer of 4 d each
///     w (n_users, 2)                      weights of the modalities, (w_u1, w_u2) for user u
///     H (n_users, n_users)                k neighbours of every user, weighted: UserGraph
///
///     U'_u = w_u1 (X_v + X_t)_u + w_u2 X_t,u           the reference; see below
///     U = U' + H U'
///     I = X_v + X_t                                    of the items
///     score(u, i) = U_u . I_i
///
///     x_b = U_u . I_p - U_u . I_n                      for the rows b = (u, p, n) of a batch of B
///     loss = -(1/B) sum_b log_2 sigma(x_b)
///            + reg_weight (mean (P_v)_u^2 + mean (P_t)_u^2 + mean w^2 + mean w_i^2)
///
/// The means are over the entries of the batch's rows (B x d; a user that occurs twice counts twice), and
/// of the whole tables w and w_i (n_items, 2). With one modality, U' and I are its X alone.
///
/// Choices that change results, where a reading can go wrong:
/// - The reference adds X_t to X_v in place before users are fused, so w_u1 multiplies the sum of both.
///   The paper means U'_u = w_u1 X_v,u + w_u2 X_t,u: user_modalities = visual_and_textual.
/// - The logarithm is to base 2: the ranking loss is 1.4427 times the usual one against the regulariser.
/// - w starts as a softmax (about 1/2 each) and is not normalised again.
/// - w_i weighs nothing: it is in the regulariser only, and so in the norms of sharpness-aware methods.
/// - The layers of a branch are summed, not averaged; there are two whatever n_layers of the reference
///   says, and the branch's width and embedding_size are the same number here (both 64 there).
/// - Degrees have no guard: a node without train rows keeps its layer 0. A repeated train row is one edge
///   here; the reference has two.
/// - The reference keeps 200 users with items in common per user and uses 40. For most users the 40th and
///   the 41st count are equal, so the order among equal counts, which it leaves open, decides; here lower
///   ids are first.
/// - The softmax over plain counts is sharp: one more item in common weighs e times as much.
/// - Items that the reference drops from a modality are never used there and do not exist here. Its
///   layers MLP_v, MLP_t and MLP_user take no part either.
/// - Scores are those of the parameters given. The reference scores with the last training batch's
///   vectors, one step behind.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/models/bound_parameters.hpp"
#include "recsys/models/convolution.hpp"
#include "recsys/models/feature_gcn.hpp"
#include "recsys/models/features.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/model.hpp"
#include "recsys/models/user_graph.hpp"
#include "recsys/tape/operations.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Hyper-parameters of DualGNN. The reference searches reg_weight in 1e-1 .. 1e-5; the default is that of
/// the authors' own code.
struct DualGNNHyperParameters {
    int embedding_size = 64;
    double reg_weight = 0.1;
    int user_graph_k = 40;
    std::string user_aggr_mode = "softmax";
    std::string aggr_mode = "add";
    std::string user_modalities = "sum_and_textual";

    using Row = HyperParameter<DualGNNHyperParameters>;
    static constexpr double unlimited = std::numeric_limits<double>::infinity();
    static constexpr std::array table{
        Row{"embedding_size", &DualGNNHyperParameters::embedding_size, 1, 65536,
            "d, numbers per user and item"},
        Row{"reg_weight", &DualGNNHyperParameters::reg_weight, 0, unlimited,
            "weight of the squares of preferences and of modality weights"},
        Row{"user_graph_k", &DualGNNHyperParameters::user_graph_k, 1, 200,
            "k, neighbours of a user in the graph of users"},
        Row::of("user_aggr_mode", &DualGNNHyperParameters::user_aggr_mode,
                "weights of these neighbours: softmax of the items in common, or equal ones",
                "softmax|mean"),
        Row::of("aggr_mode", &DualGNNHyperParameters::aggr_mode,
                "sum over neighbours in the graph of users and items: normalised by both degrees "
                "(add), or the mean",
                "add|mean"),
        Row::of("user_modalities", &DualGNNHyperParameters::user_modalities,
                "what a user's two weights multiply: the sum of both modalities and the textual "
                "one, or each modality",
                "sum_and_textual|visual_and_textual"),
    };
};

/// DualGNN on one data set.
template <class B>
class DualGNN final : public ModelOn<B> {
    using T = typename B::Scalar;
    using typename ModelOn<B>::Arena;
    using typename ModelOn<B>::Loss;

public:
    using HyperParameters = DualGNNHyperParameters;
    static constexpr std::string_view model_name = "dualgnn";
    static constexpr std::string_view source = "Wang et al., IEEE TMM 2021";

    DualGNN(Dataset const& data, HyperParameters const& values, int threads)
        : values_(check(values, model_name)), n_users_(data.n_users), n_items_(data.n_items),
          convolution_(values.aggr_mode == "add" ? Convolution<T>::symmetric(data)
                                                 : Convolution<T>::mean(data)),
          user_graph_(data, values.user_graph_k, values.user_aggr_mode == "softmax", threads),
          branches_(feature_branches<B>(data, values.embedding_size, model_name)),
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
        parameters.add("weight_i", static_cast<std::size_t>(n_items_), 2);
        for (auto const& branch : branches_) branch.gcn.declare(parameters);
    }

    void initialise(ParameterArena<T>& parameters, std::uint64_t seed) const override {
        initialise_modality_weights(parameters, "weight_u", seed);
        initialise_modality_weights(parameters, "weight_i", seed);
        for (auto const& branch : branches_) branch.gcn.initialise(parameters, seed);
    }

    Loss loss(Arena const& parameters, Triples const& batch, Pass, Arena& gradient) override {
        check(batch, n_users_, n_items_);
        batch_users_.assign(static_cast<std::size_t>(n_users_), {batch.users});
        batch_items_.assign(static_cast<std::size_t>(n_items_), {batch.positives, batch.negatives});

        tape_.reset();
        const BoundParameters<B> bound(tape_, parameters, &gradient);
        const Matrix w = bound["weight_u"];
        Matrix squares = mean_of_squares(w) + mean_of_squares(bound["weight_i"]);
        preferences_.clear();
        for (std::size_t m = 0; m < branches_.size(); ++m) {
            preferences_.push_back(branches_[m].gcn.preference(bound));
            const Matrix term = mean_of_squares(gather(preferences_[m], batch.users));
            terms_[2 + m].value = term.loss();
            squares = squares + term;
        }

        const auto [users, items] = fuse(bound, w, batch_items_);
        const Matrix own = gather(users, batch.users);
        const Matrix u = own + gather(user_graph_(users, batch_users_), batch.users);
        const Matrix ranking = softplus_bpr_loss(
            row_dot(u, gather(items, batch.positives)), row_dot(u, gather(items, batch.negatives)),
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
        preferences_.clear();
        for (auto const& branch : branches_) preferences_.push_back(branch.gcn.preference(bound));
        const auto [users, items] = fuse(bound, bound["weight_u"], Rows::all());
        return {(users + user_graph_(users)).value(), items.value()};
    }

private:
    using Matrix = Value<B>;
    using Smoothed = typename FeatureGcn<B>::Smoothed;

    void prepare_epoch(int) override { user_graph_.sample(this->noise_); }

    // U' and, in the rows asked for only, I.
    Smoothed fuse(BoundParameters<B> const& bound, Matrix w, Rows item_rows) {
        const auto smoothed = [&](std::size_t m) {
            auto const& gcn = branches_[m].gcn;
            const Matrix features = tape_.constant(branches_[m].features);
            return gcn.smooth(gcn.layer_0(bound, preferences_[m], features), convolution_,
                              Rows::all(), item_rows);
        };
        const Smoothed v = smoothed(0);
        if (branches_.size() == 1) return v;
        const Smoothed t = smoothed(1);
        const bool of_sum = values_.user_modalities == "sum_and_textual";
        return {scale_rows(slice_columns(w, 0, 1), of_sum ? v.users + t.users : v.users) +
                    scale_rows(slice_columns(w, 1, 1), t.users),
                sum({v.items, t.items}, item_rows)};
    }

    HyperParameters values_;
    std::int32_t n_users_, n_items_;
    Convolution<T> convolution_;
    UserGraph<T> user_graph_;
    std::vector<FeatureBranch<B>> branches_;
    Tape<B> tape_;
    RowSet batch_users_, batch_items_;
    std::vector<Matrix> preferences_;
    std::vector<TermOf<Loss>> terms_;
};

}  // namespace polder::recsys
