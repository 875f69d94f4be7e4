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
#include <string>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/data/triples.hpp"
#include "recsys/models/convolution.hpp"
#include "recsys/models/distinct_ids.hpp"
#include "recsys/models/feature_gcn.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/item_graph.hpp"
#include "recsys/models/model.hpp"
#include "recsys/models/on_tape.hpp"
#include "recsys/models/parameter_list.hpp"
#include "recsys/models/sides.hpp"
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
    bool item_embedding = false;

    using Self = DRAGONHyperParameters;
    using Row = HyperParameter<Self>;
    static constexpr std::array table{
        Row{"embedding_size", &Self::embedding_size, 1, 65536,
            "d, numbers per user, item and modality"},
        Row{"reg_weight", &Self::reg_weight, 0, unlimited,
            "weight of the squares of preferences and of modality weights"},
        Row{"knn_k", &Self::knn_k, 1, 65536,
            "neighbours of an item in the graph of items, itself included"},
        Row{"n_mm_layers", &Self::n_mm_layers, 0, 64, "n, propagations over the graph of items"},
        Row{"mm_image_weight", &Self::mm_image_weight, 0, 1,
            "share of the visual modality in the graph of items"},
        Row{"user_graph_k", &Self::user_graph_k, 1, 200,
            "k, neighbours of a user in the graph of users"},
        Row::of("user_aggr_mode", &Self::user_aggr_mode,
                "weights of these neighbours: softmax of the items in common, or equal ones",
                "softmax|mean"),
        Row::of("aggr_mode", &Self::aggr_mode,
                "sum over neighbours in the graph of users and items: normalised by both degrees "
                "(add), or the mean",
                "add|mean"),
        Row::of("item_embedding", &Self::item_embedding,
                "a learnable embedding of each item, added to its projected features; the paper "
                "has none"),
    };
};

/// DRAGON on one data set.
template <class B>
class DRAGON {
    using T = typename B::Scalar;
    using Matrix = Value<B>;

public:
    using HyperParameters = DRAGONHyperParameters;
    static constexpr std::string_view model_name = "dragon";
    static constexpr std::string_view source = "Zhou et al., ECAI 2023";
    static constexpr PublishedSettings published[] = {
        {"baby", "learning_rate=1e-4:reg_weight=1e-3"},
        {"sports", "learning_rate=1e-4:reg_weight=1e-3"},
        {"clothing", "learning_rate=1e-4:reg_weight=1e-1"},
    };

    static InParts in_parts(HyperParameters const&) { return {}; }

    DRAGON(Dataset const& data, HyperParameters const& values, int threads)
        : values_(values), branches_(feature_branches<B>(data, values.embedding_size, model_name,
                                                         values.item_embedding)),
          convolution_(values.aggr_mode == "add" ? Convolution<T>::symmetric(data)
                                                 : Convolution<T>::mean(data)),
          with_similar_(frozen_item_graph<T>(data, values.knn_k, values.mm_image_weight, threads),
                        values.n_mm_layers),
          user_graph_(data, values.user_graph_k, values.user_aggr_mode == "softmax", threads),
          rows_(data) {}

    void parameters(ParameterList<T>& list) const {
        list.add_users("weight_u", 2, modality_weights);
        for (auto const& branch : branches_) branch.gcn.parameters(list);
    }

    void prepare_epoch(Noise<T, typename B::System> const& noise, int) {
        user_graph_.sample(noise);
    }

    Matrix loss(OnTape<B> const& on, Triples const& batch, LossTerms<B>& terms) {
        rows_.assign(batch);
        Matrix const w = on["weight_u"];
        Matrix squares = mean_of_squares(w);
        preferences_.clear();
        squares_.clear();
        for (auto const& branch : branches_) {
            preferences_.push_back(branch.gcn.preference(on));
            squares_.push_back(mean_of_squares(gather(preferences_.back(), batch.users)));
            squares = squares + squares_.back();
        }

        // An inner product of rows side by side is the sum of those of their parts.
        positive_scores_.clear();
        negative_scores_.clear();
        for (std::size_t m = 0; m < branches_.size(); ++m) {
            auto const [users, items] = smoothed(on, w, m);
            Matrix const own = gather(users, batch.users);
            Matrix const u = own + gather(user_graph_(users, rows_.users), batch.users);
            Matrix const i = with_similar_(items, rows_.items);
            positive_scores_.push_back(row_dot(u, gather(i, batch.positives)));
            negative_scores_.push_back(row_dot(u, gather(i, batch.negatives)));
        }
        Matrix const ranking = softplus_bpr_loss(sum(positive_scores_), sum(negative_scores_),
                                                 mean_to_base_2<T>(batch.size()));
        Matrix const regulariser = static_cast<T>(values_.reg_weight) * squares;
        terms = {{"loss_value", ranking}, {"reg_loss", regulariser}};
        for (std::size_t m = 0; m < branches_.size(); ++m)
            terms.add(branches_[m].name_of_regulariser(), squares_[m]);
        return ranking + regulariser;
    }

    Sides<B> represent(OnTape<B> const& on) {
        Matrix const w = on["weight_u"];
        preferences_.clear();
        for (auto const& branch : branches_) preferences_.push_back(branch.gcn.preference(on));
        std::vector<Matrix> user_parts, item_parts;
        for (std::size_t m = 0; m < branches_.size(); ++m) {
            auto const [users, items] = smoothed(on, w, m);
            user_parts.push_back(users + user_graph_(users));
            item_parts.push_back(with_similar_(items));
        }
        return {concatenate_columns(user_parts), concatenate_columns(item_parts)};
    }

    std::vector<NamedGraph<T>> graphs() const { return {{"mm_adj", &with_similar_.graph()}}; }

private:
    // The columns of U' and I' that are those of modality m.
    Sides<B> smoothed(OnTape<B> const& on, Matrix w, std::size_t m) {
        auto const& gcn = branches_[m].gcn;
        Matrix const features = on.constant(branches_[m].features);
        Sides<B> const x = gcn.smooth(gcn.layer_0(on, preferences_[m], features), convolution_);
        if (branches_.size() == 1) return x;
        return {scale_rows(slice_columns(w, m, 1), x.users), x.items};
    }

    HyperParameters values_;
    std::vector<FeatureBranch<B>> branches_;
    Convolution<T> convolution_;
    SimilarItems<T> with_similar_;
    UserGraph<T> user_graph_;
    RowsOfBatch rows_;
    std::vector<Matrix> preferences_, squares_, positive_scores_, negative_scores_;
};

}  // namespace polder::recsys
