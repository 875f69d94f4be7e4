/// BM3: users, items and features learn to predict each other from views of themselves, without negatives.
///
/// Zhou, Zhou, Liu, Zeng, Miao, Wang, You, Jiang: Bootstrap Latent Representations for Multi-modal
/// Recommendation, WWW 2023. Details where the paper leaves a choice: MMRec (enoche/MMRec),
/// src/models/bm3.py.
///
///     P (n_users, d), Q (n_items, d)             embeddings
///     F_m (n_items, D_m), W_m (d, D_m), b_m (d)  features of modality m (visual, textual), which are
///                                                trained, and their projection
///     W_h (d, d), b_h (d)                        the predictor h(z) = W_h z + b_h, one for all
///     R (n_users, n_items)                       R_ui = 1 / sqrt((|N_u| + 1e-7) (|N_i| + 1e-7)) for i in N_u
///
///     U^(0) = P,   U^(l+1) = R I^(l)             U = mean over l = 0..L of U^(l)
///     I^(0) = Q,   I^(l+1) = R^T U^(l)           I = Q + mean over l = 0..L of I^(l)
///     T_m = F_m W_m^T + b_m
///     score(u, i) = h(U_u) . h(I_i)
///
///     X~ = dropout(X), a constant                the target that X gives: its gradient stops here
///     D(X, Y~) = 1 - (1/B) sum_b cos(h(X_b), Y~_b)   for the rows b = (u, i) of a batch of B
///     loss = D(U_u, I~_i) + D(I_i, U~_u)
///            + cl_weight sum_m (D(T_m,i, I~_i) + D(T_m,i, T~_m,i))
///            + reg_weight (|U|_F + |I|_F) / n_items
///
/// Choices that change results, where the paper differs or a reading can go wrong:
/// - The regulariser has the norms, not squared, of all users and all items as they come out of the graph,
///   whatever the batch, both divided by the number of items: its gradient is dense.
/// - I has Q once more; users have no such term.
/// - Targets are what comes before the predictor, with dropout and without gradient. stop_gradient = false
///   lets the gradient through them.
/// - A row that a batch has twice has one mask, since the reference masks whole matrices. Here the rows of
///   the batch are masked and projected only: the same law.
/// - The two passes of a sharpness-aware step on a batch share their masks; the reference draws anew in the
///   second pass of Mirror Gradient.
/// - Terms are neither halved nor divided by their number, and those of a missing modality are 0. No term
///   compares text with image, though the reference's names say so.
/// - The features are parameters: norms of all parameters, as sharpness-aware methods take them, have these
///   in them. They are not part of a score.
/// - Weights start Xavier normal, biases uniform and not at 0.
/// - The cosine's norms are at least 1e-8. Negative items are ignored.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/data/triples.hpp"
#include "recsys/models/graph.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/modalities.hpp"
#include "recsys/models/model.hpp"
#include "recsys/models/on_tape.hpp"
#include "recsys/models/parameter_list.hpp"
#include "recsys/models/sides.hpp"
#include "recsys/models/smoothing.hpp"
#include "recsys/tape/operations.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Hyper-parameters of BM3. The defaults are the authors' best for Baby.
struct BM3HyperParameters {
    int embedding_size = 64;
    int n_layers = 1;
    double dropout = 0.5;
    double reg_weight = 0.1;
    double cl_weight = 2;
    bool stop_gradient = true;

    using Self = BM3HyperParameters;
    using Row = HyperParameter<Self>;
    static constexpr std::array table{
        Row{"embedding_size", &Self::embedding_size, 1, 65536, "d, numbers per user and item"},
        Row{"n_layers", &Self::n_layers, 0, 64, "L, propagations over the graph"},
        Row{"dropout", &Self::dropout, 0, 0.999, "share of a target's numbers that are set to 0"},
        Row{"reg_weight", &Self::reg_weight, 0, unlimited,
            "weight of the norms of all users and items"},
        Row{"cl_weight", &Self::cl_weight, 0, unlimited, "weight of the terms with features"},
        Row::of("stop_gradient", &Self::stop_gradient, "whether targets are constants"),
    };
};

/// BM3 on one data set with features.
template <class B>
class BM3 {
    using T = typename B::Scalar;
    using Matrix = Value<B>;

public:
    using HyperParameters = BM3HyperParameters;
    static constexpr std::string_view model_name = "bm3";
    static constexpr std::string_view source = "Zhou et al., WWW 2023";
    static constexpr PublishedSettings published[] = {
        {"baby", "n_layers=1:dropout=0.5:reg_weight=0.1"},
        {"sports", "n_layers=1:dropout=0.5:reg_weight=0.01"},
        {"electronics", "n_layers=2:dropout=0.3:reg_weight=0.1"},
    };

    static InParts in_parts(HyperParameters const&) { return {}; }

    BM3(Dataset const& data, HyperParameters const& values, int)
        : values_(values), n_users_(static_cast<std::size_t>(data.n_users)),
          n_items_(static_cast<std::size_t>(data.n_items)),
          modalities_(modalities<T>(data, model_name)), graph_(normalised_interactions<T>(data)) {}

    void parameters(ParameterList<T>& list) const {
        auto const d = values_.embedding_size;
        list.add_users("user_embedding", d, xavier_uniform);
        list.add_items("item_embedding", d, xavier_uniform);
        list.add("predictor.weight", d, d, xavier_normal);
        list.add("predictor.bias", 1, d, LinearUniform(d));
        for (auto const& m : modalities_) m.parameters(list, d, xavier_normal);
    }

    Matrix loss(OnTape<B> const& on, Triples const& batch, LossTerms<B>& terms) {
        auto const users = batch.users, items = batch.positives;
        auto const p = on["user_embedding"], q = on["item_embedding"];
        auto const w_h = on["predictor.weight"], b_h = on["predictor.bias"];
        auto const distance = [&](Matrix x, Matrix target) {
            return T(1) - mean_cosine(linear(x, w_h, b_h), target);
        };

        auto const [u, smooth_items] = graph_.mean_of_layers({p, q}, values_.n_layers);
        auto const i = smooth_items + q;
        auto const u_b = gather(u, users), i_b = gather(i, items);
        auto const u_target = target(on, "target_dropout_user", u_b, users, n_users_);
        auto const i_target = target(on, "target_dropout_item", i_b, items, n_items_);
        auto const loss_ui = distance(u_b, i_target), loss_iu = distance(i_b, u_target);
        auto const norms = embedding_loss({u, i});
        auto total = loss_ui + loss_iu + static_cast<T>(values_.reg_weight) * norms;

        std::optional<Matrix> v, vt, t, tv;  // between modality and item, and within the modality
        std::optional<Matrix> further;       // both, of all other modalities
        for (auto const& m : modalities_) {
            auto const f_b = gather(on[m.table], items);
            auto const t_b = linear(f_b, on[m.weight], on[m.bias]);
            auto const t_target = target(on, m.target_dropout, t_b, items, n_items_);
            auto const inter = distance(t_b, i_target), intra = distance(t_b, t_target);
            total = total + static_cast<T>(values_.cl_weight) * (inter + intra);
            if (m.is_further) {
                further = further ? *further + inter + intra : inter + intra;
                continue;
            }
            (m.is_visual ? v : t) = inter;
            (m.is_visual ? vt : tv) = intra;
        }
        terms = {{"loss_ui", loss_ui}, {"loss_iu", loss_iu}, {"reg_loss", norms}, {"loss_v", v},
                 {"loss_vt", vt},      {"loss_t", t},        {"loss_tv", tv}};
        if (further) terms.add("loss_further", further);
        return total;
    }

    Sides<B> represent(OnTape<B> const& on) {
        auto const p = on["user_embedding"], q = on["item_embedding"];
        auto const w_h = on["predictor.weight"], b_h = on["predictor.bias"];
        auto const [u, smooth_items] = graph_.mean_of_layers({p, q}, values_.n_layers);
        return {linear(u, w_h, b_h), linear(smooth_items + q, w_h, b_h)};
    }

    std::vector<NamedGraph<T>> graphs() const { return {{"interactions", &graph_.interactions()}}; }

private:
    // X~ for rows X_b that are the rows `index` of a matrix of n.
    Matrix target(OnTape<B> const& on, std::string_view name, Matrix x,
                  std::span<std::int32_t const> index, std::size_t n) const {
        Matrix const constant = values_.stop_gradient ? stop_gradient(x) : x;
        if (values_.dropout == 0) return constant;
        return hadamard(constant, on.constant(on.noise().dropout_rows(name, index, n, x.cols(),
                                                                      values_.dropout)));
    }

    HyperParameters values_;
    std::size_t n_users_, n_items_;
    std::vector<Modality<T>> modalities_;
    Smoothing<B> graph_;  // R
};

}  // namespace polder::recsys
