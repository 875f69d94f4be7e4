/// SelfCF: users and items learn to predict each other from dropped-out views, without negatives.
///
/// Zhou, Sun, Liu, Zhang, Miao: SelfCF: A Simple Framework for Self-supervised Collaborative Filtering, ACM
/// Transactions on Recommender Systems, 2023: the variant with embedding dropout over LightGCN. Details where
/// the paper leaves a choice: MMRec (enoche/MMRec), src/models/selfcfed_lgn.py, src/common/encoders.py.
///
///     P (n_users, d), Q (n_items, d)      embeddings
///     W_h (d, d), b_h (d)                 the predictor h(z) = W_h z + b_h, one for users and items
///     R (n_users, n_items)                R_ui = 1 / sqrt((|N_u| + 1e-7) (|N_i| + 1e-7)) for i in N_u
///     R_1, R_2 (n_users, n_items)         R of which the batch drops entries (EdgeDropout) with a
///                                         probability r that is uniform in [0, 1) itself
///
///     U^(0) = P,   U^(l+1) = R_1 I^(l)    U = mean over l = 0..L of U^(l)
///     I^(0) = Q,   I^(l+1) = R_2^T U^(l)  I = mean over l = 0..L of I^(l)
///     score(u, i) = h(U_u) . I_i + U_u . h(I_i)      with R in place of R_1 and R_2
///
///     X~ = dropout(X), a constant         the target that X gives: its gradient stops here
///     loss = -(1/2B) sum_b cos(h(U_u), I~_i) - (1/2B) sum_b cos(h(I_i), U~_u)
///            + reg_weight / 2 sum_b (|U_u|^2 + |I_i|^2)   for the rows b = (u, i) of a batch of B
///
/// Choices that change results, where the paper differs or a reading can go wrong:
/// - The rate r of the edges' dropout is drawn for every batch, 1/2 on average. Near 1 what is kept is
///   multiplied by a large 1 / (1 - r) per layer: the cosines do not see it, the regulariser does, and the
///   loss has rare peaks. The authors' first code has this dropout switched off (edge_dropout = false), and
///   no regulariser; the published comparisons have both.
/// - Rows are masked after they are gathered: a user that a batch has twice has two masks. BM3 differs.
/// - The cosines are means over the batch, the regulariser is a sum, of the rows that come out of the
///   graph, before the predictor. With reg_weight = 0 nothing bounds their size, and scores depend on it.
/// - Targets have no predictor and no gradient. stop_gradient = false lets the gradient through them.
/// - The two passes of a sharpness-aware step on a batch share r, edges and masks; the reference draws anew
///   in the second pass of Mirror Gradient.
/// - The part U_u . b_h of a score is the same for all items of a user; b_h . I_i is not.
/// - The predictor starts uniform, its bias not at 0.
/// - The cosine's norms are at least 1e-8. Negative items are ignored. The loss is usually negative.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/data/triples.hpp"
#include "recsys/models/distinct_ids.hpp"
#include "recsys/models/edge_dropout.hpp"
#include "recsys/models/graph.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/model.hpp"
#include "recsys/models/on_tape.hpp"
#include "recsys/models/parameter_list.hpp"
#include "recsys/models/sides.hpp"
#include "recsys/models/smoothing.hpp"
#include "recsys/tape/operations.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Hyper-parameters of SelfCF. No best setting is published: the defaults are in the middle of the
/// reference's grids, n_layers 1 and 2, dropout 0.1, 0.2 and 0.5, reg_weight 0 and 1e-5 to 0.1.
struct SelfCFHyperParameters {
    int embedding_size = 64;
    int n_layers = 2;
    double dropout = 0.2;
    double reg_weight = 1e-3;
    bool edge_dropout = true;
    bool stop_gradient = true;

    using Self = SelfCFHyperParameters;
    using Row = HyperParameter<Self>;
    static constexpr std::array table{
        Row{"embedding_size", &Self::embedding_size, 1, 65536, "d, numbers per user and item"},
        Row{"n_layers", &Self::n_layers, 0, 64, "L, propagations over the graph"},
        Row{"dropout", &Self::dropout, 0, 0.999, "share of a target's numbers that are set to 0"},
        Row{"reg_weight", &Self::reg_weight, 0, unlimited,
            "weight of half the squares of the batch's users and items"},
        Row::of("edge_dropout", &Self::edge_dropout,
                "whether each batch drops a random share of the graph's entries"),
        Row::of("stop_gradient", &Self::stop_gradient, "whether targets are constants"),
    };
};

/// SelfCF on one data set.
template <class B>
class SelfCF {
    using T = typename B::Scalar;
    using Matrix = Value<B>;

public:
    using HyperParameters = SelfCFHyperParameters;
    static constexpr std::string_view model_name = "selfcf";
    static constexpr std::string_view source = "Zhou et al., TORS 2023";

    static InParts in_parts(HyperParameters const&) { return {}; }

    SelfCF(Dataset const& data, HyperParameters const& values, int)
        : values_(values), graph_(normalised_interactions<T>(data)),
          thinned_(graph_.interactions()), rows_(data) {}

    void parameters(ParameterList<T>& list) const {
        auto const d = values_.embedding_size;
        list.add_users("user_embedding", d, xavier_uniform);
        list.add_items("item_embedding", d, xavier_uniform);
        list.add("predictor.weight", d, d, LinearUniform(d));
        list.add("predictor.bias", 1, d, LinearUniform(d));
    }

    Matrix loss(OnTape<B> const& on, Triples const& batch, LossTerms<B>& terms) {
        auto const users = batch.users, items = batch.positives;
        rows_.users.assign(graph_.interactions().rows, {users});
        rows_.items.assign(graph_.interactions().cols, {items});

        auto const p = on["user_embedding"], q = on["item_embedding"];
        auto const w_h = on["predictor.weight"], b_h = on["predictor.bias"];
        auto const [u, i] = smooth(on, {p, q});
        auto const u_b = gather(u, users), i_b = gather(i, items);
        auto const similarity = [&](Matrix x, Matrix target) {
            return mean_cosine(linear(x, w_h, b_h), target);
        };

        auto const loss_ui =
            T(-0.5) * similarity(u_b, target(on, batch, "target_dropout_item", i_b));
        auto const loss_iu =
            T(-0.5) * similarity(i_b, target(on, batch, "target_dropout_user", u_b));
        // A sum over rows, beside means.
        auto const squares =
            static_cast<T>(0.5 * batch.parts()) * (sum_of_squares(u_b) + sum_of_squares(i_b));
        terms = {{"loss_ui", loss_ui}, {"loss_iu", loss_iu}, {"reg_loss", squares}};
        return loss_ui + loss_iu + static_cast<T>(values_.reg_weight) * squares;
    }

    Sides<B> represent(OnTape<B> const& on) {
        auto const w_h = on["predictor.weight"], b_h = on["predictor.bias"];
        auto const [u, i] =
            graph_.mean_of_layers({on["user_embedding"], on["item_embedding"]}, values_.n_layers);
        // h(U_u) . I_i + U_u . h(I_i) = [h(U_u) | U_u] . [I_i | h(I_i)]
        return {concatenate_columns({linear(u, w_h, b_h), u}),
                concatenate_columns({i, linear(i, w_h, b_h)})};
    }

    std::vector<NamedGraph<T>> graphs() const { return {{"interactions", &graph_.interactions()}}; }

private:
    // U and I of training, in the rows of the batch only.
    Sides<B> smooth(OnTape<B> const& on, Sides<B> layer_0) {
        if (!values_.edge_dropout)
            return graph_.mean_of_layers(layer_0, values_.n_layers, rows_.users, rows_.items);
        thin(on.noise());
        user_layers_.assign(1, layer_0.users);
        item_layers_.assign(1, layer_0.items);
        for (int l = 1; l <= values_.n_layers; ++l) {
            bool const last = l == values_.n_layers;
            Matrix const u = user_layers_.back(), i = item_layers_.back();
            user_layers_.push_back(thinned_.to_users(i, last ? Rows(rows_.users) : Rows::all()));
            item_layers_.push_back(thinned_.to_items(u, last ? Rows(rows_.items) : Rows::all()));
        }
        return {mean(user_layers_, rows_.users), mean(item_layers_, rows_.items)};
    }

    void thin(Noise<T, typename B::System> const& noise) {
        auto const* const graph = noise.fixed("edge_dropout_adj");
        auto const* const rate = noise.fixed("edge_dropout_adj.rate");
        if (graph != nullptr && rate != nullptr) {
            thinned_.fix(*graph, rate->at(0));
        } else {
            Random random = noise.of_batch("edge_dropout_adj");
            double const r = random.uniform();
            thinned_.draw(random, r);
        }
    }

    // X~ for the rows X_b of a batch. Of a part, the masks are those of its rows in the batch.
    Matrix target(OnTape<B> const& on, Triples const& batch, std::string_view name,
                  Matrix x) const {
        Matrix const constant = values_.stop_gradient ? stop_gradient(x) : x;
        if (values_.dropout == 0) return constant;
        auto const masks = on.noise().dropout(name, batch.all().size(), x.cols(), values_.dropout);
        return hadamard(constant, on.constant(row_range(masks, batch.first(), batch.size())));
    }

    HyperParameters values_;
    Smoothing<B> graph_;      // R
    EdgeDropout<T> thinned_;  // R_1 and R_2
    RowsOfBatch rows_;        // without negatives
    std::vector<Matrix> user_layers_, item_layers_;
};

}  // namespace polder::recsys
