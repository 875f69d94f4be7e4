/// LightGCN: embeddings smoothed over the graph of users and items, and nothing else.
///
/// He, Deng, Wang, Li, Zhang, Wang: LightGCN: Simplifying and Powering Graph Convolution Network for
/// Recommendation, SIGIR 2020. Details where the paper leaves a choice: MMRec (enoche/MMRec),
/// src/models/lightgcn.py.
///
///     P (n_users, d), Q (n_items, d)      embeddings of layer 0, the only parameters
///     R (n_users, n_items)                R_ui = 1 / sqrt((|N_u| + 1e-7) (|N_i| + 1e-7)) for i in N_u
///
///     U^(0) = P,   U^(l+1) = R I^(l)      U = mean over l = 0..L of U^(l)      eq. (3), (4)
///     I^(0) = Q,   I^(l+1) = R^T U^(l)    I = mean over l = 0..L of I^(l)
///     score(u, i) = U_u . I_i                                                  eq. (5)
///
///     x_b  = U_u . I_p - U_u . I_n        for the rows b = (u, p, n) of a batch of B
///     loss = -(1/B) sum_b log(1e-10 + sigma(x_b))                              eq. (15)
///            + reg_weight (|P_u|_F + |Q_p|_F + |Q_n|_F) / B
///
/// Choices that change results, where the paper's own code differs or a reading can go wrong:
/// - The regulariser takes the batch's rows of layer 0, not the smoothed ones, and norms that are not
///   squared. The paper's code has half their squares.
/// - The loss has 1e-10 inside the logarithm and so an upper end. The paper's code has none.
/// - Initial values are Xavier uniform. The paper's code draws them from N(0, 0.1^2), which is larger.
/// - Layers are averaged, not summed, and layer 0 is one of them.
/// - An item without train rows is Q_i / (L + 1) and can be recommended, but is never a negative, so
///   that it keeps its initial value.
/// - |N| counts distinct neighbours: a repeated train row is one edge.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/data/triples.hpp"
#include "recsys/models/distinct_ids.hpp"
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

/// Hyper-parameters of LightGCN.
struct LightGCNHyperParameters {
    int embedding_size = 64;
    int n_layers = 3;
    double reg_weight = 1e-4;

    using Self = LightGCNHyperParameters;
    using Row = HyperParameter<Self>;
    static constexpr std::array table{
        Row{"embedding_size", &Self::embedding_size, 1, 65536, "d, numbers per user and item"},
        Row{"n_layers", &Self::n_layers, 0, 64, "L, propagations over the graph"},
        Row{"reg_weight", &Self::reg_weight, 0, unlimited,
            "weight of the norms of the batch's embeddings"},
    };
};

/// LightGCN on one data set.
template <class B>
class LightGCN {
    using T = typename B::Scalar;
    using Matrix = Value<B>;

public:
    using HyperParameters = LightGCNHyperParameters;
    static constexpr std::string_view model_name = "lightgcn";
    static constexpr std::string_view source = "He et al., SIGIR 2020";

    static InParts in_parts(HyperParameters const&) { return {}; }

    LightGCN(Dataset const& data, HyperParameters const& values, int)
        : values_(values), graph_(normalised_interactions<T>(data)), rows_(data) {}

    void parameters(ParameterList<T>& list) const {
        list.add_users("user_embedding", values_.embedding_size, xavier_uniform);
        list.add_items("item_embedding", values_.embedding_size, xavier_uniform);
    }

    Matrix loss(OnTape<B> const& on, Triples const& batch, LossTerms<B>& terms) {
        auto const& [users, positives, negatives, number, whole] = batch;
        rows_.assign(batch);
        auto const p = on["user_embedding"], q = on["item_embedding"];
        // Taken first, so that `backward` adds these few rows to a gradient that is already full.
        auto const& all = batch.all();
        auto const p_u = gather(p, all.users), q_p = gather(q, all.positives),
                   q_n = gather(q, all.negatives);

        auto const [u, i] =
            graph_.mean_of_layers({p, q}, values_.n_layers, rows_.users, rows_.items);
        auto const bpr = bpr_loss(gather(u, users), gather(i, positives), gather(i, negatives));
        auto const norms = embedding_loss({p_u, q_p, q_n});
        terms = {{"mf_loss", bpr}, {"reg_loss", norms}};
        return bpr + static_cast<T>(values_.reg_weight) * norms;
    }

    Sides<B> represent(OnTape<B> const& on) {
        return graph_.mean_of_layers({on["user_embedding"], on["item_embedding"]},
                                     values_.n_layers);
    }

    std::vector<NamedGraph<T>> graphs() const { return {{"interactions", &graph_.interactions()}}; }

private:
    HyperParameters values_;
    Smoothing<B> graph_;  // R
    RowsOfBatch rows_;
};

}  // namespace polder::recsys
