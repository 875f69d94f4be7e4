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
#include <string>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/data/triples.hpp"
#include "recsys/models/convolution.hpp"
#include "recsys/models/distinct_ids.hpp"
#include "recsys/models/feature_gcn.hpp"
#include "recsys/models/features.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/on_tape.hpp"
#include "recsys/models/parameter_list.hpp"
#include "recsys/models/sides.hpp"
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

    using Self = DualGNNHyperParameters;
    using Row = HyperParameter<Self>;
    static constexpr std::array table{
        Row{"embedding_size", &Self::embedding_size, 1, 65536, "d, numbers per user and item"},
        Row{"reg_weight", &Self::reg_weight, 0, unlimited,
            "weight of the squares of preferences and of modality weights"},
        Row{"user_graph_k", &Self::user_graph_k, 1, 200,
            "k, neighbours of a user in the graph of users"},
        Row::of("user_aggr_mode", &Self::user_aggr_mode,
                "weights of these neighbours: softmax of the items in common, or equal ones",
                "softmax|mean"),
        Row::of("aggr_mode", &Self::aggr_mode,
                "sum over neighbours in the graph of users and items: normalised by both degrees "
                "(add), or the mean",
                "add|mean"),
        Row::of("user_modalities", &Self::user_modalities,
                "what a user's two weights multiply: the sum of both modalities and the textual "
                "one, or each modality",
                "sum_and_textual|visual_and_textual"),
    };
};

/// DualGNN on one data set.
template <class B>
class DualGNN {
    using T = typename B::Scalar;
    using Matrix = Value<B>;

public:
    using HyperParameters = DualGNNHyperParameters;
    static constexpr std::string_view model_name = "dualgnn";
    static constexpr std::string_view source = "Wang et al., IEEE TMM 2021";

    static InParts in_parts(HyperParameters const&) { return {}; }

    DualGNN(Dataset const& data, HyperParameters const& values, int threads)
        : values_(values), convolution_(values.aggr_mode == "add" ? Convolution<T>::symmetric(data)
                                                                  : Convolution<T>::mean(data)),
          user_graph_(data, values.user_graph_k, values.user_aggr_mode == "softmax", threads),
          branches_(feature_branches<B>(data, values.embedding_size, model_name)), rows_(data) {}

    void parameters(ParameterList<T>& list) const {
        list.add_users("weight_u", 2, modality_weights);
        list.add_items("weight_i", 2, modality_weights);
        for (auto const& branch : branches_) branch.gcn.parameters(list);
    }

    void prepare_epoch(Noise<T, typename B::System> const& noise, int) {
        user_graph_.sample(noise);
    }

    Matrix loss(OnTape<B> const& on, Triples const& batch, LossTerms<B>& terms) {
        rows_.assign(batch);
        Matrix const w = on["weight_u"];
        Matrix squares = mean_of_squares(w) + mean_of_squares(on["weight_i"]);
        preferences_.clear();
        squares_.clear();
        for (auto const& branch : branches_) {
            preferences_.push_back(branch.gcn.preference(on));
            squares_.push_back(mean_of_squares(gather(preferences_.back(), batch.users)));
            squares = squares + squares_.back();
        }

        auto const [users, items] = fuse(on, w, rows_.items);
        Matrix const own = gather(users, batch.users);
        Matrix const u = own + gather(user_graph_(users, rows_.users), batch.users);
        Matrix const ranking = softplus_bpr_loss(row_dot(u, gather(items, batch.positives)),
                                                 row_dot(u, gather(items, batch.negatives)),
                                                 mean_to_base_2<T>(batch.size()));
        Matrix const regulariser = static_cast<T>(values_.reg_weight) * squares;
        terms = {{"loss_value", ranking}, {"reg_loss", regulariser}};
        for (std::size_t m = 0; m < branches_.size(); ++m)
            terms.add(branches_[m].name_of_regulariser(), squares_[m]);
        return ranking + regulariser;
    }

    Sides<B> represent(OnTape<B> const& on) {
        preferences_.clear();
        for (auto const& branch : branches_) preferences_.push_back(branch.gcn.preference(on));
        auto const [users, items] = fuse(on, on["weight_u"], Rows::all());
        return {users + user_graph_(users), items};
    }

private:
    // U' and, in the rows asked for only, I.
    Sides<B> fuse(OnTape<B> const& on, Matrix w, Rows item_rows) {
        auto const smoothed = [&](std::size_t m) {
            auto const& gcn = branches_[m].gcn;
            Matrix const features = on.constant(branches_[m].features);
            return gcn.smooth(gcn.layer_0(on, preferences_[m], features), convolution_, Rows::all(),
                              item_rows);
        };
        Sides<B> const v = smoothed(0);
        if (branches_.size() == 1) return v;
        Sides<B> const t = smoothed(1);
        bool const of_sum = values_.user_modalities == "sum_and_textual";
        return {scale_rows(slice_columns(w, 0, 1), of_sum ? v.users + t.users : v.users) +
                    scale_rows(slice_columns(w, 1, 1), t.users),
                sum({v.items, t.items}, item_rows)};
    }

    HyperParameters values_;
    Convolution<T> convolution_;
    UserGraph<T> user_graph_;
    std::vector<FeatureBranch<B>> branches_;
    RowsOfBatch rows_;
    std::vector<Matrix> preferences_, squares_;
};

}  // namespace polder::recsys
