/// MENTOR: a branch per modality over the graph of users and items, side by side, aligned with each other
/// and with a branch of item identities by their means and variances, and a contrast of two perturbed
/// copies.
///
/// Xu, Chen, Yang, Li, Wang, Ngai: MENTOR: Multi-level Self-supervised Learning for Multimodal
/// Recommendation, AAAI 2025. Details where the paper leaves a choice: MENTOR (Jinfeng-Xu/MENTOR),
/// src/models/mentor.py.
///
///     X_v, X_t, X_id (n_users + n_items, d)   FeatureGcn of the visual and textual features and of an
///                                             embedding id_feat (n_items, d); a layer of 4 d each
///     X_v^k, X_t^k, k = 1, 2                  of four further branches with parameters of their own,
///                                             whose layers are perturbed by uniform noise
///     w (n_users, 2)                          weights of the modalities, (w_u1, w_u2) for user u
///     M (n_items, n_items)                    items with similar features: frozen_item_graph;
///                                             S(I) = I + M^n I, n = n_mm_layers
///
///     tables of 2 d columns        users                     items
///     r                            [w_u1 X_v , w_u2 X_t]     S([X_v , X_t])
///     g                            [X_id , X_id]             S([X_id , X_id])
///     v                            [X_v , X_v]               S([X_v , X_v])
///     t                            [X_t , X_t]               S([X_t , X_t])
///     n_k                          [w_u1 X_v^k , w_u2 X_t^k] S([X_v^k , X_t^k])
///     score(u, i) = r_u . r_i
///
///     x_b = r_u . r_p - r_u . r_n    for the rows b = (u, p, n) of a batch of B
///     loss = -(1/B) sum_b log_2 sigma(x_b)
///            + reg_weight (mean (P_v)_u^2 + mean (P_t)_u^2 + mean w^2)
///            + align_weight sum over the pairs a, b of {g, r, v, t} of |var a - var b| + |mean a - mean b|
///            + mask_weight_f sum over users and items of
///                  1 - mean over rows of cos(drop(r), r W^T + b),    W (2 d, 2 d): mlp
///            + mask_weight_g sum over users and items of
///                  mean over rows j of -log( exp(c_jj / temp) / sum_z exp(c_jz / temp) ),
///                  c_jz = cos(n_1,j , n_2,z)
///
/// Means of squares are over the entries of the batch's rows (B x d; a user that occurs twice counts
/// twice) and of the whole table w. mean and var (unbiased) of a table are those of all its entries,
/// users and items together. drop is inverted dropout.
///
/// Choices that change results, where a reading can go wrong:
/// - The mask term has no gradient in the reference: it only shifts the loss, and mlp keeps its initial
///   values. mask_gradient = true differentiates the prediction r W^T + b; the target drop(r) is a
///   constant then.
/// - The perturbed branches are copies with parameters of their own: the contrast reaches the scores
///   through w only. SimGCL, on which it is modelled, perturbs the encoder there is:
///   shared_encoders = true.
/// - So by default X_id and the perturbed branches reach the scores through a few scalars only. With
///   mask_weight_g = 0 the perturbed branches are left out.
/// - All parameters but mlp are trained, and count in the norms of sharpness-aware methods.
/// - The contrast is over all users and all items in every batch: n_users^2 + n_items^2 cosines, in tiles.
/// - The noise is uniform in [0, 1), so that signs come from the layer alone; its length is 0.1 in every
///   row and layer, and an entry of 0 stays 0.
/// - The logarithm of the ranking loss is to base 2, that of the contrast is natural.
/// - Layers of a branch are summed, not averaged, and two whatever n_layers of the reference says.
/// - w starts as a softmax (about 1/2 each) and is not normalised again.
/// - There is no graph of users, unlike in DRAGON: the reference samples one and does not use it. Nor do
///   its trainable feature tables, weight_i, image_trs, text_trs, MLP_user and dropped items take part.
/// - Degrees have no guard: a node without train rows keeps its layer 0. A repeated train row is one edge
///   here; the reference has two.
/// - Scores are those of the parameters given. The reference scores with the last training batch's
///   vectors, one step behind.
/// - It takes both modalities.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/data/triples.hpp"
#include "recsys/models/convolution.hpp"
#include "recsys/models/feature_gcn.hpp"
#include "recsys/models/features.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/item_graph.hpp"
#include "recsys/models/model.hpp"
#include "recsys/models/on_tape.hpp"
#include "recsys/models/parameter_list.hpp"
#include "recsys/models/sides.hpp"
#include "recsys/models/similar_items.hpp"
#include "recsys/tape/operations.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Hyper-parameters of MENTOR. The reference searches mask_weight_g in 1e-4, 1e-3 and temp in 0.2, 0.4,
/// 0.6.
struct MENTORHyperParameters {
    int embedding_size = 64;
    double reg_weight = 1e-3;
    int knn_k = 10;
    int n_mm_layers = 1;
    double mm_image_weight = 0.1;
    double align_weight = 0.1;
    double mask_weight_f = 1.5;
    double mask_weight_g = 1e-3;
    double dropout = 0.5;
    double temp = 0.4;
    bool mask_gradient = false;
    bool shared_encoders = false;
    bool item_embedding = false;

    using Self = MENTORHyperParameters;
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
        Row{"align_weight", &Self::align_weight, 0, unlimited,
            "weight of the differences of means and variances of modalities"},
        Row{"mask_weight_f", &Self::mask_weight_f, 0, unlimited,
            "weight of the prediction of vectors with dropout"},
        Row{"mask_weight_g", &Self::mask_weight_g, 0, unlimited,
            "weight of the contrast of perturbed branches"},
        Row{"dropout", &Self::dropout, 0, 0.99, "share of entries dropped in what is predicted"},
        Row{"temp", &Self::temp, 1e-3, unlimited, "temperature of the contrast"},
        Row::of("mask_gradient", &Self::mask_gradient,
                "differentiate the prediction of vectors with dropout; the reference does not"),
        Row::of("shared_encoders", &Self::shared_encoders,
                "perturb the branches that the scores come from; the reference has copies"),
        Row::of("item_embedding", &Self::item_embedding,
                "a learnable embedding of each item, added to its projected features; the paper "
                "has none"),
    };
};

/// MENTOR on one data set.
template <class B>
class MENTOR {
    using T = typename B::Scalar;
    using Matrix = Value<B>;

public:
    using HyperParameters = MENTORHyperParameters;
    static constexpr std::string_view model_name = "mentor";
    static constexpr std::string_view source = "Xu et al., AAAI 2025";

    static InParts in_parts(HyperParameters const&) { return {}; }

    MENTOR(Dataset const& data, HyperParameters const& values, int threads)
        : values_(values), n_users_(static_cast<std::size_t>(data.n_users)),
          n_items_(static_cast<std::size_t>(data.n_items)),
          visual_(with_both_features(data).visual), textual_(data.textual),
          v_(branch("v_gcn", visual_.columns(), values.item_embedding)),
          t_(branch("t_gcn", textual_.columns(), values.item_embedding)),
          id_(branch("id_gcn", d())), convolution_(Convolution<T>::symmetric(data)),
          with_similar_(frozen_item_graph<T>(data, values.knn_k, values.mm_image_weight, threads),
                        values.n_mm_layers),
          every_row_(std::max(n_users_, n_items_)) {
        std::iota(every_row_.begin(), every_row_.end(), 0);
        if (values_.shared_encoders) return;
        for (std::string const copy : {"_n1", "_n2"}) {
            copies_.push_back(branch("v_gcn" + copy, visual_.columns()));
            copies_.push_back(branch("t_gcn" + copy, textual_.columns()));
        }
    }

    void parameters(ParameterList<T>& list) const {
        list.add_users("weight_u", 2, modality_weights);
        list.add_items("id_feat", d(), xavier_normal);
        list.add("mlp.weight", 2 * d(), 2 * d(), LinearUniform(2 * d()));
        list.add("mlp.bias", 1, 2 * d(), LinearUniform(2 * d()));
        for (auto const* branch : {&v_, &t_, &id_}) branch->parameters(list);
        for (auto const& copy : copies_) copy.parameters(list);
    }

    std::vector<std::string> frozen() const {
        if (values_.mask_gradient) return {};
        return {"mlp.weight", "mlp.bias"};
    }

    Matrix loss(OnTape<B> const& on, Triples const& batch, LossTerms<B>& terms) {
        Matrix const w = on["weight_u"];
        Matrix const p_v = v_.preference(on), p_t = t_.preference(on);
        Matrix const regulariser = static_cast<T>(values_.reg_weight) *
                                   (mean_of_squares(gather(p_v, batch.users)) +
                                    mean_of_squares(gather(p_t, batch.users)) + mean_of_squares(w));

        Matrix const f_v = on.constant(visual_), f_t = on.constant(textual_);
        Sides<B> const v_0 = v_.layer_0(on, p_v, f_v), t_0 = t_.layer_0(on, p_t, f_t);
        Sides<B> const id_0 = id_.layer_0(on, id_.preference(on), on["id_feat"]);
        Sides<B> const v = smooth(v_0), t = smooth(t_0), id = smooth(id_0);
        Table const r = side_by_side(w, v, t);

        Matrix const ranking = ranking_loss_of(r, batch);
        Matrix const alignment =
            static_cast<T>(values_.align_weight) *
            differences({moments({id.users, id.items}, 2),
                         moments({r.users_v, r.users_t, r.items_v, r.items_t}, 1),
                         moments({v.users, v.items}, 2), moments({t.users, t.items}, 2)});
        Matrix const masking = mask_loss(on, r);
        Matrix total = ranking + regulariser + alignment + masking;
        std::optional<Matrix> contrast;
        if (values_.mask_weight_g > 0) {
            auto const copy = [&](std::size_t k) {
                if (values_.shared_encoders)
                    return side_by_side(w, perturbed(on, v_0, 2 * k),
                                        perturbed(on, t_0, 2 * k + 1));
                FeatureGcn<B> const &v_k = copies_[2 * k], &t_k = copies_[2 * k + 1];
                Sides<B> const of_v = v_k.layer_0(on, v_k.preference(on), f_v);
                Sides<B> const of_t = t_k.layer_0(on, t_k.preference(on), f_t);
                return side_by_side(w, perturbed(on, of_v, 2 * k), perturbed(on, of_t, 2 * k + 1));
            };
            Table const n_1 = copy(0), n_2 = copy(1);
            contrast = static_cast<T>(values_.mask_weight_g) *
                       (contrast_of(n_1.users_v, n_1.users_t, n_2.users_v, n_2.users_t) +
                        contrast_of(n_1.items_v, n_1.items_t, n_2.items_v, n_2.items_t));
            total = total + *contrast;
        } else {
            for (auto const& copy : copies_) copy.leave_out(on);
        }
        terms = {{"loss_value", ranking},
                 {"reg_loss", regulariser},
                 {"align_loss", alignment},
                 {"mask_f_loss", masking},
                 {"mask_g_loss", contrast}};
        return total;
    }

    Sides<B> represent(OnTape<B> const& on) {
        auto const layer_0 = [&](FeatureGcn<B> const& branch, Features<T> const& features) {
            return branch.layer_0(on, branch.preference(on), on.constant(features));
        };
        Table const r = side_by_side(on["weight_u"], smooth(layer_0(v_, visual_)),
                                     smooth(layer_0(t_, textual_)));
        return {concatenate_columns({r.users_v, r.users_t}),
                concatenate_columns({r.items_v, r.items_t})};
    }

    std::vector<NamedGraph<T>> graphs() const { return {{"mm_adj", &with_similar_.graph()}}; }

private:
    // A table of 2 d columns by its halves.
    struct Table {
        Matrix users_v, users_t, items_v, items_t;
    };

    struct Moments {
        Matrix mean, variance;
    };

    static Dataset const& with_both_features(Dataset const& data) {
        require_both_features(data, model_name);
        return data;
    }

    std::size_t d() const { return static_cast<std::size_t>(values_.embedding_size); }

    FeatureGcn<B> branch(std::string const& name, std::size_t inputs,
                         bool has_item_embedding = false) const {
        return FeatureGcn<B>(name, n_users_, inputs, values_.embedding_size,
                             has_item_embedding ? n_items_ : 0);
    }

    // X of users, S(X) of items.
    Sides<B> smooth(Sides<B> layer_0) {
        Sides<B> const x = FeatureGcn<B>::smooth(layer_0, convolution_);
        return {x.users, with_similar_(x.items)};
    }

    // The same with the noise of copy 1 or 2 of the visual or the textual branch: `copy` is 0 to 3.
    Sides<B> perturbed(OnTape<B> const& on, Sides<B> layer_0, std::size_t copy) {
        static constexpr std::array<std::array<std::string_view, 2>, 4> names{
            {{"noise_v_gcn_n1_layer1", "noise_v_gcn_n1_layer2"},
             {"noise_t_gcn_n1_layer1", "noise_t_gcn_n1_layer2"},
             {"noise_v_gcn_n2_layer1", "noise_v_gcn_n2_layer2"},
             {"noise_t_gcn_n2_layer1", "noise_t_gcn_n2_layer2"}}};
        std::size_t const n = n_users_ + n_items_;
        Sides<B> const x = FeatureGcn<B>::smooth(layer_0, convolution_,
                                                 {on.noise().uniform(names[copy][0], n, d()),
                                                  on.noise().uniform(names[copy][1], n, d())});
        return {x.users, with_similar_(x.items)};
    }

    static Table side_by_side(Matrix w, Sides<B> v, Sides<B> t) {
        return {scale_rows(slice_columns(w, 0, 1), v.users),
                scale_rows(slice_columns(w, 1, 1), t.users), v.items, t.items};
    }

    static Matrix ranking_loss_of(Table const& r, Triples const& batch) {
        Matrix const u_v = gather(r.users_v, batch.users), u_t = gather(r.users_t, batch.users);
        auto const scores = [&](std::span<std::int32_t const> items) {
            return row_dot(u_v, gather(r.items_v, items)) + row_dot(u_t, gather(r.items_t, items));
        };
        Matrix const positive = scores(batch.positives), negative = scores(batch.negatives);
        return softplus_bpr_loss(positive, negative, mean_to_base_2<T>(batch.size()));
    }

    // Of all entries of the parts, each of which stands in the table `times` times.
    static Moments moments(std::initializer_list<Matrix> parts, double times) {
        double n = 0;
        for (Matrix const part : parts) n += times * static_cast<double>(part.value().size());
        auto const of_mean = static_cast<T>(times / n),
                   of_variance = static_cast<T>(times / (n - 1));
        Matrix mean = sum(*parts.begin(), of_mean);
        for (auto part = parts.begin() + 1; part != parts.end(); ++part)
            mean = mean + sum(*part, of_mean);
        Matrix variance = sum_of_squares_about(mean, *parts.begin(), of_variance);
        for (auto part = parts.begin() + 1; part != parts.end(); ++part)
            variance = variance + sum_of_squares_about(mean, *part, of_variance);
        return {mean, variance};
    }

    Matrix differences(std::array<Moments, 4> const& of) {
        differences_.clear();
        for (std::size_t a = 0; a < of.size(); ++a) {
            for (std::size_t b = a + 1; b < of.size(); ++b) {
                differences_.push_back(absolute(of[a].variance - of[b].variance));
                differences_.push_back(absolute(of[a].mean - of[b].mean));
            }
        }
        return sum(differences_);
    }

    Matrix mask_loss(OnTape<B> const& on, Table const& r) {
        bool const learns = values_.mask_gradient;
        Matrix const weight = learns ? on["mlp.weight"] : on.frozen("mlp.weight");
        Matrix const bias = learns ? on["mlp.bias"] : on.frozen("mlp.bias");
        auto const mean_cosine = [&](Matrix half_v, Matrix half_t, std::string_view noise) {
            if (!learns) {
                half_v = stop_gradient(half_v);
                half_t = stop_gradient(half_t);
            }
            Matrix const rows = concatenate_columns({half_v, half_t});
            Matrix target = stop_gradient(rows);
            if (values_.dropout > 0) target = on.dropout(noise, target, values_.dropout);
            constexpr T floor = T(1e-8);
            return mean_of(row_dot(normalise_rows(target, floor),
                                   normalise_rows(linear(rows, weight, bias), floor)));
        };
        Matrix const cosines = mean_cosine(r.users_v, r.users_t, "mask_dropout_user") +
                               mean_cosine(r.items_v, r.items_t, "mask_dropout_item");
        return static_cast<T>(values_.mask_weight_f) * (T(2) - cosines);
    }

    // The mean over rows of the contrast of [a_v, a_t] with [b_v, b_t].
    Matrix contrast_of(Matrix a_v, Matrix a_t, Matrix b_v, Matrix b_t) {
        Matrix const a = normalise_rows(concatenate_columns({a_v, a_t}));
        Matrix const b = normalise_rows(concatenate_columns({b_v, b_t}));
        return info_nce(a, b, std::span<std::int32_t const>(every_row_).first(a.rows()),
                        static_cast<T>(values_.temp), T(1) / static_cast<T>(a.rows()));
    }

    HyperParameters values_;
    std::size_t n_users_, n_items_;
    Features<T> visual_, textual_;
    FeatureGcn<B> v_, t_, id_;
    std::vector<FeatureGcn<B>> copies_;  // v 1, t 1, v 2, t 2; none where encoders are shared
    Convolution<T> convolution_;
    SimilarItems<T> with_similar_;
    std::vector<std::int32_t> every_row_;  // 0, 1, 2, ...
    std::vector<Matrix> differences_;
};

}  // namespace polder::recsys
