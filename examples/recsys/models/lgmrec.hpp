/// LGMRec: what users like nearby, on the graph of interactions, and at large, on hypergraphs whose
/// hyperedges are attributes learned from the features.
///
/// Guo, Li, Li, Wang, Shi, Ruan: LGMRec: Local and Global Graph Learning for Multimodal Recommendation,
/// AAAI 2024. Details where the paper leaves a choice: MMRec (enoche/MMRec), src/models/lgmrec.py.
///
///     P (n_users, d), Q (n_items, d)              embeddings
///     F_m (n_items, D_m)                          features, m = image, text; constant
///     W_m (D_m, d), H_m (D_m, K)                  projection, hyperedges
///     R (n_users, n_items)                        1 for every distinct train pair
///     R_hat                                       R_ui / sqrt((|N_u| + 1e-7) (|N_i| + 1e-7))
///     unit(X)                                     rows / max(norm, 1e-12)
///
/// Collaborative part:
///     U^(0) = P,  I^(0) = Q,  U^(l+1) = R_hat I^(l),  I^(l+1) = R_hat^T U^(l)
///     C = mean over l = 0..L of (U^(l), I^(l))
/// Modality part, Z_m = F_m W_m:
///     T_m = layer L' of the same propagation from ((R Z_m)_u / (|N_u| + 1e-7), Z_m)
/// Global part, g Gumbel noise, drop keeps an entry with probability keep_rate:
///     A_m = drop(softmax((F_m H_m + g) / tau)) (n_items, K)
///     B_m = drop(softmax((R F_m H_m + g) / tau)) (n_users, K)
///     x_m^(0) = C of the items,   e_m^(j) = A_m^T x_m^(j-1),   x_m^(j) = A_m e_m^(j),   j = 1..J
///     x_m = x_m^(J),   y_m = B_m e_m^(J)
/// Together:
///     V = C + sum over m of unit(T_m) + alpha unit(sum over m of (y_m, x_m))
///     score(u, i) = V_u . V_i
///
/// For the rows b = (u, p, n) of a batch of B, with cosines s:
///     bpr  = -(1/B) sum_b log sigma(V_u . V_p - V_u . V_n)
///     hcl  = -sum_b log( exp(s(y_image,u, y_text,u) / tau) / sum_z exp(s(y_image,u, y_text,z) / tau) )
///            - the same for x and the items p
///     reg  = (|V_u|_F + |V_p|_F + |V_n|_F) / B
///     loss = bpr + cl_weight hcl + reg_weight reg
///
/// Choices that change results, where a reading can go wrong:
/// - hcl is a sum over the batch, so that cl_weight counts the more the larger the batch is. Other code
///   has a mean, with weights some 2048 times as large.
/// - Gumbel noise is drawn at inference too, so scores are random: here once per seed and epoch, in the
///   reference for every 4096 users. inference_noise = false scores without.
/// - The users' logits are sums over their items, not means, so that active users belong to one
///   hyperedge almost alone; in the modality part users are means. One mask is used in all layers.
/// - Features are constant: W_m and H_m learn, not the features.
/// - No sizes of hyperedges divide the messages: with n_hyper_layer > 1 their scale grows, which unit
///   hides.
/// - The contrast goes from image to text only, over all users and all items.
/// - reg takes the final vectors, and norms that are not squared.
/// - Both modalities are needed: the reference fails with one.
/// - The layers of the MMRec configuration are those published for Baby.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/data/triples.hpp"
#include "recsys/models/distinct_ids.hpp"
#include "recsys/models/features.hpp"
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

/// Hyper-parameters of LGMRec. Published: for Sports n_hyper_layer 4, keep_rate 0.4, alpha 0.6; for
/// Clothing n_hyper_layer 2, hyper_num 64, keep_rate 0.2, alpha 0.2.
struct LGMRecHyperParameters {
    int embedding_size = 64;
    std::string cf_model = "lightgcn";
    int n_ui_layers = 2;
    int n_mm_layers = 2;
    int n_hyper_layer = 1;
    int hyper_num = 4;
    double keep_rate = 0.5;
    double alpha = 0.3;
    double tau = 0.2;
    double cl_weight = 1e-4;
    double reg_weight = 1e-6;
    bool inference_noise = true;

    using Self = LGMRecHyperParameters;
    using Row = HyperParameter<Self>;
    static constexpr std::array table{
        Row{"embedding_size", &Self::embedding_size, 1, 65536, "d, numbers per user and item"},
        Row::of("cf_model", &Self::cf_model,
                "C: embeddings smoothed over the graph, or as they are", "lightgcn|mf"),
        Row{"n_ui_layers", &Self::n_ui_layers, 0, 64, "L, propagations of the collaborative part"},
        Row{"n_mm_layers", &Self::n_mm_layers, 0, 64, "L', propagations of the modality part"},
        Row{"n_hyper_layer", &Self::n_hyper_layer, 1, 64, "J, passes over the hypergraphs"},
        Row{"hyper_num", &Self::hyper_num, 1, 4096, "K, hyperedges of each modality"},
        Row{"keep_rate", &Self::keep_rate, 0.01, 1,
            "probability that an entry of a hypergraph is kept in training"},
        Row{"alpha", &Self::alpha, 0, unlimited, "weight of the global part"},
        Row{"tau", &Self::tau, 1e-3, unlimited, "temperature of hyperedges and contrast"},
        Row{"cl_weight", &Self::cl_weight, 0, unlimited,
            "weight of the contrast, a sum over the batch"},
        Row{"reg_weight", &Self::reg_weight, 0, unlimited,
            "weight of the norms of the batch's vectors"},
        Row::of("inference_noise", &Self::inference_noise, "Gumbel noise in scores, as published"),
    };
};

/// LGMRec on one data set with visual and textual features.
template <class B>
class LGMRec {
    using T = typename B::Scalar;
    using Matrix = Value<B>;

public:
    using HyperParameters = LGMRecHyperParameters;
    static constexpr std::string_view model_name = "lgmrec";
    static constexpr std::string_view source = "Guo et al., AAAI 2024";
    static constexpr PublishedSettings published[] = {
        {"baby", "n_hyper_layer=1:hyper_num=4:keep_rate=0.5:alpha=0.3"},
        {"sports", "n_hyper_layer=4:hyper_num=4:keep_rate=0.4:alpha=0.6"},
        {"clothing", "n_hyper_layer=2:hyper_num=64:keep_rate=0.2:alpha=0.2"},
    };

    static InParts in_parts(HyperParameters const&) { return {}; }

    LGMRec(Dataset const& data, HyperParameters const& values, int)
        : values_(values), interactions_(binary_interactions<T>(data)),
          transposed_(transpose(interactions_)), graph_(normalised_interactions<T>(data)),
          rows_(data) {
        require_both_features(data, model_name);
        features_ = {Features<T>(data.visual), Features<T>(data.textual)};
        auto const inverse = inverse_degrees(interactions_);
        inverse_user_degree_ = {interactions_.rows, 1};
        std::transform(inverse.begin(), inverse.begin() + data.n_users,
                       inverse_user_degree_.values.begin(),
                       [](double value) { return static_cast<T>(value); });
    }

    void parameters(ParameterList<T>& list) const {
        auto const d = values_.embedding_size;
        list.add_users("user_embedding", d, xavier_uniform);
        list.add_items("item_embedding", d, xavier_uniform);
        for (std::size_t const m : {image, text}) {
            list.add(names[m].projection, features_[m].columns(), d, xavier_uniform);
            list.add(names[m].hyperedges, features_[m].columns(), values_.hyper_num,
                     xavier_uniform);
        }
    }

    Matrix loss(OnTape<B> const& on, Triples const& batch, LossTerms<B>& terms) {
        // The norms are those of the whole batch, also where this is a part of it.
        auto const& all = values_.reg_weight == 0 ? batch : batch.all();
        rows_.assign(all);
        auto const parts = forward(on, rows_.users, rows_.items, true);
        auto const rows = [&](std::span<std::int32_t const> index) {
            return [index](Matrix x) { return gather(x, index); };
        };
        auto const v_u = combined(parts, &Sides<B>::users, rows(all.users));
        auto const v_p = combined(parts, &Sides<B>::items, rows(all.positives));
        auto const v_n = combined(parts, &Sides<B>::items, rows(all.negatives));

        auto const bpr =
            ranking_loss(rows_of(batch, v_u), rows_of(batch, v_p), rows_of(batch, v_n));
        // A sum over rows, beside means.
        auto const weight = static_cast<T>(batch.parts());
        auto const contrast = contrastive(parts, &Sides<B>::users, batch.users, weight) +
                              contrastive(parts, &Sides<B>::items, batch.positives, weight);
        auto const norms = embedding_loss({v_u, v_p, v_n});
        terms = {{"batch_bpr_loss", bpr}, {"batch_hcl_loss", contrast}, {"batch_reg_loss", norms}};
        return bpr + static_cast<T>(values_.cl_weight) * contrast +
               static_cast<T>(values_.reg_weight) * norms;
    }

    Sides<B> represent(OnTape<B> const& on) {
        on.noise().begin_inference();
        auto const parts = forward(on, Rows::all(), Rows::all(), false);
        auto const all = [](Matrix x) { return x; };
        auto const users = combined(parts, &Sides<B>::users, all);
        return {users, combined(parts, &Sides<B>::items, all)};
    }

    std::vector<NamedGraph<T>> graphs() const {
        return {{"interactions", &graph_.interactions()}, {"interaction_matrix", &interactions_}};
    }

private:
    static constexpr std::size_t image = 0, text = 1;

    // Random objects of one side of a hypergraph.
    struct NoiseNames {
        std::string_view gumbel, inference_gumbel, dropout;
    };
    struct Names {
        std::string_view projection, hyperedges;
        NoiseNames users, items;
    };
    static constexpr std::array<Names, 2> names{
        Names{"item_image_trs",
              "v_hyper",
              {"gumbel_user_image", "inference_gumbel_user_image", "hyper_dropout_user_image"},
              {"gumbel_item_image", "inference_gumbel_item_image", "hyper_dropout_item_image"}},
        Names{"item_text_trs",
              "t_hyper",
              {"gumbel_user_text", "inference_gumbel_user_text", "hyper_dropout_user_text"},
              {"gumbel_item_text", "inference_gumbel_item_text", "hyper_dropout_item_text"}}};

    // T_m, (B_m, A_m) and e_m of the last layer.
    struct Modality {
        Sides<B> smoothed, memberships;
        Matrix hyperedges;
    };
    struct Parts {
        Sides<B> collaborative;
        std::array<Modality, 2> modalities;
    };

    // C and T_m in these rows; C of the items in all.
    Parts forward(OnTape<B> const& on, Rows user_rows, Rows item_rows, bool training) {
        Sides<B> const embeddings{on["user_embedding"], on["item_embedding"]};
        Sides<B> const collaborative =
            values_.cf_model == "mf"
                ? embeddings
                : graph_.mean_of_layers(embeddings, values_.n_ui_layers, user_rows);
        auto const modality = [&](std::size_t m) {
            return forward(on, m, on[names[m].projection], on[names[m].hyperedges],
                           collaborative.items, user_rows, item_rows, training);
        };
        return {collaborative, {modality(image), modality(text)}};
    }

    Modality forward(OnTape<B> const& on, std::size_t m, Matrix projection, Matrix hyperedges,
                     Matrix x, Rows user_rows, Rows item_rows, bool training) {
        auto const d = static_cast<std::size_t>(values_.embedding_size);
        auto const k = static_cast<std::size_t>(values_.hyper_num);
        // The features are large: one walk through them serves F W and F H.
        auto const both =
            product(on.constant(features_[m]), concatenate_columns({projection, hyperedges}));
        auto const summed = propagate(interactions_, transposed_, both);

        auto const inverse = on.constant(inverse_user_degree_);
        Sides<B> const smoothed = graph_.last(
            {scale_rows(inverse, slice_columns(summed, 0, d)), slice_columns(both, 0, d)},
            values_.n_mm_layers, user_rows, item_rows);

        Sides<B> const memberships{
            membership(on, slice_columns(summed, d, k), names[m].users, training),
            membership(on, slice_columns(both, d, k), names[m].items, training)};
        for (int j = 1;; ++j) {
            auto const e = product(memberships.items, Form::transposed, x, Form::plain);
            if (j == values_.n_hyper_layer) return {smoothed, memberships, e};
            x = product(memberships.items, e);
        }
    }

    // How much the nodes belong to the hyperedges.
    Matrix membership(OnTape<B> const& on, Matrix logits, NoiseNames const& of, bool training) {
        if (training || values_.inference_noise)
            logits =
                logits + on.constant(on.noise().gumbel(training ? of.gumbel : of.inference_gumbel,
                                                       logits.rows(), logits.cols()));
        auto const soft = softmax_rows(logits, static_cast<T>(values_.tau));
        if (!training || values_.keep_rate == 1) return soft;
        return on.dropout(of.dropout, soft, 1 - values_.keep_rate);
    }

    // V of one side, in the rows that `take` takes.
    template <class Take>
    Matrix combined(Parts const& parts, Matrix Sides<B>::*side, Take take) {
        auto const& [v, t] = parts.modalities;
        auto const global = product(take(v.memberships.*side), v.hyperedges) +
                            product(take(t.memberships.*side), t.hyperedges);
        return take(parts.collaborative.*side) + normalise_rows(take(v.smoothed.*side)) +
               normalise_rows(take(t.smoothed.*side)) +
               static_cast<T>(values_.alpha) * normalise_rows(global);
    }

    // hcl of one side. The cosine of y = a e_image and z = b e_text is a (e_image e_text^T) b^T / (|y| |z|),
    // K products in place of d.
    Matrix contrastive(Parts const& parts, Matrix Sides<B>::*side,
                       std::span<std::int32_t const> index, T weight) {
        auto const& [v, t] = parts.modalities;
        auto const a = gather(v.memberships.*side, index), b = t.memberships.*side;
        auto const inner = product(v.hyperedges, Form::plain, t.hyperedges, Form::transposed);
        auto const queries =
            scale_rows(inverse_row_norms(product(a, v.hyperedges)), product(a, inner));
        auto const keys = scale_rows(inverse_row_norms(product(b, t.hyperedges)), b);
        return info_nce(queries, keys, index, static_cast<T>(values_.tau), weight);
    }

    HyperParameters values_;
    Csr<T> interactions_, transposed_;  // R and R^T
    Smoothing<B> graph_;                // R_hat
    HostMatrix<T> inverse_user_degree_;
    std::array<Features<T>, 2> features_;
    RowsOfBatch rows_;
};

}  // namespace polder::recsys
