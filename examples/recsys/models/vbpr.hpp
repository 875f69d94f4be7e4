/// VBPR: matrix factorisation whose items are known by their features, too.
///
/// He, McAuley: VBPR: Visual Bayesian Personalized Ranking from Implicit Feedback, AAAI 2016. Details
/// where the paper leaves a choice, and all that the features of several modalities need: MMRec
/// (enoche/MMRec), src/models/vbpr.py.
///
///     F (n_items, D)      features, constant: [textual | visual | further ...], those that there are
///     P (n_users, 2 d)    embeddings of users: what they think of the item itself, and of what it shows
///     Q (n_items, d)      embeddings of items
///     W (d, D), b (1, d)  projection of features
///
///     e_i = [Q_i | W F_i + b]                                                  eq. (3), (4)
///     score(u, i) = P_u . e_i
///
///     x_b  = P_u . e_p - P_u . e_n        for the rows b = (u, p, n) of a batch of B
///     loss = -(1/B) sum_b log(1e-10 + sigma(x_b))                              eq. (7)
///            + reg_weight (|P_u|_F + |e_p|_F + |e_n|_F) / B
///
/// Choices that change results, where the paper differs or a reading can go wrong:
/// - Textual columns come first. That matters for weights from elsewhere and for initial values only.
/// - A user has 2 d numbers. AMR's own code has d, which meet the sum of both parts of an item.
/// - There are no biases of users, items or features; the paper has them, and no b.
/// - The regulariser takes the composed e_i and norms that are not squared: it reaches W and b through
///   them, and nothing else pulls at these. b cancels in x_b, so that the regulariser alone moves it.
/// - Features are taken as they are, neither scaled nor centred: large ones dominate at the start.
/// - W starts Xavier normal, b at 0, P and Q Xavier uniform.
#pragma once

#include <array>
#include <string_view>

#include "recsys/data/dataset.hpp"
#include "recsys/data/triples.hpp"
#include "recsys/models/distinct_ids.hpp"
#include "recsys/models/features.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/on_tape.hpp"
#include "recsys/models/parameter_list.hpp"
#include "recsys/models/sides.hpp"
#include "recsys/tape/operations.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Hyper-parameters of VBPR.
struct VBPRHyperParameters {
    int embedding_size = 64;
    double reg_weight = 0.01;  // the middle of the reference's grid, which has 1e-5 to 2

    using Self = VBPRHyperParameters;
    using Row = HyperParameter<Self>;
    static constexpr std::array table{
        Row{"embedding_size", &Self::embedding_size, 1, 65536,
            "d, numbers per item; users have twice as many"},
        Row{"reg_weight", &Self::reg_weight, 0, unlimited,
            "weight of the norms of the batch's users and items"},
    };
};

/// VBPR on one data set with features.
template <class B>
class VBPR {
    using T = typename B::Scalar;
    using Matrix = Value<B>;

public:
    using HyperParameters = VBPRHyperParameters;
    static constexpr std::string_view model_name = "vbpr";
    static constexpr std::string_view source = "He and McAuley, AAAI 2016";

    static InParts in_parts(HyperParameters const&) { return {}; }

    VBPR(Dataset const& data, HyperParameters const& values, int)
        : values_(values), features_(all_side_by_side<T>(data, model_name)) {}

    void parameters(ParameterList<T>& list) const {
        auto const d = values_.embedding_size;
        list.add_users("user_embedding", 2 * d, xavier_uniform);
        list.add_items("item_embedding", d, xavier_uniform);
        list.add("item_linear.weight", d, features_.columns(), xavier_normal);
        list.add("item_linear.bias", 1, d, zeros);
    }

    Matrix loss(OnTape<B> const& on, Triples const& batch, LossTerms<B>& terms) {
        // The norms are those of the whole batch, also where this is a part of it.
        auto const& all = values_.reg_weight == 0 ? batch : batch.all();
        items_.assign(features_.view().rows, {all.positives, all.negatives});
        auto const p_u = gather(on["user_embedding"], all.users);
        auto const e = compose(on, gather(on["item_embedding"], items_.ids()),
                               gather(on.constant(features_), items_.ids()));
        auto const e_p = gather(e, items_.places(0)), e_n = gather(e, items_.places(1));
        auto const bpr = bpr_loss(rows_of(batch, p_u), rows_of(batch, e_p), rows_of(batch, e_n));
        auto const norms = embedding_loss({p_u, e_p, e_n});
        terms = {{"mf_loss", bpr}, {"reg_loss", norms}};
        return bpr + static_cast<T>(values_.reg_weight) * norms;
    }

    Sides<B> represent(OnTape<B> const& on) {
        return {on["user_embedding"], compose(on, on["item_embedding"], on.constant(features_))};
    }

private:
    // e_i for rows of Q and F that belong to the same items.
    static Matrix compose(OnTape<B> const& on, Matrix q, Matrix f) {
        return concatenate_columns(
            {q, linear(f, on["item_linear.weight"], on["item_linear.bias"])});
    }

    HyperParameters values_;
    Features<T> features_;  // F
    DistinctIds items_;
};

}  // namespace polder::recsys
