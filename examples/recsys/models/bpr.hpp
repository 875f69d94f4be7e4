/// BPR: matrix factorisation trained to rank what a user chose above what they did not.
///
/// Rendle, Freudenthaler, Gantner, Schmidt-Thieme: BPR: Bayesian Personalized Ranking from Implicit
/// Feedback, UAI 2009, section 4.3.1. Details where the paper leaves a choice: MMRec (enoche/MMRec),
/// src/models/bpr.py.
///
///     P (n_users, d), Q (n_items, d)      the parameters
///     score(u, i) = P_u . Q_i
///
///     x_b  = P_u . Q_p - P_u . Q_n        for the rows b = (u, p, n) of a batch of B
///     loss = -(1/B) sum_b log(1e-10 + sigma(x_b))
///            + reg_weight (|P_u|_F + |Q_p|_F + |Q_n|_F) / B
///
/// Choices that change results, where the paper differs or a reading can go wrong:
/// - The regulariser has norms that are not squared, of the batch's rows together: each row is pulled by
///   reg_weight row / (B |rows|_F), far less than by a squared norm of the same weight. Hence weights up
///   to 2 in the reference's grid.
/// - An epoch goes over all train rows, each with one negative, in batches whose mean counts. The paper
///   draws single triples with replacement and steps on each.
/// - The loss has 1e-10 inside the logarithm and so an upper end.
/// - Initial values are Xavier normal. LightGCN's are uniform.
/// - There are no biases of items.
/// - Adam moves every row in every step: those outside of the batch drift on their old moments.
#pragma once

#include <array>
#include <string_view>

#include "recsys/data/dataset.hpp"
#include "recsys/data/triples.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/on_tape.hpp"
#include "recsys/models/parameter_list.hpp"
#include "recsys/models/sides.hpp"
#include "recsys/tape/operations.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Hyper-parameters of BPR.
struct BPRHyperParameters {
    int embedding_size = 64;
    double reg_weight = 0.01;  // the middle of the reference's grid, which has 1e-5 to 2

    using Self = BPRHyperParameters;
    using Row = HyperParameter<Self>;
    static constexpr std::array table{
        Row{"embedding_size", &Self::embedding_size, 1, 65536, "d, numbers per user and item"},
        Row{"reg_weight", &Self::reg_weight, 0, unlimited,
            "weight of the norms of the batch's embeddings"},
    };
};

/// BPR on one data set.
template <class B>
class BPR {
    using T = typename B::Scalar;
    using Matrix = Value<B>;

public:
    using HyperParameters = BPRHyperParameters;
    static constexpr std::string_view model_name = "bpr";
    static constexpr std::string_view source = "Rendle et al., UAI 2009";

    static InParts in_parts(HyperParameters const&) { return {}; }

    BPR(Dataset const&, HyperParameters const& values, int) : values_(values) {}

    void parameters(ParameterList<T>& list) const {
        list.add_users("user_embedding", values_.embedding_size, xavier_normal);
        list.add_items("item_embedding", values_.embedding_size, xavier_normal);
    }

    Matrix loss(OnTape<B> const& on, Triples const& batch, LossTerms<B>& terms) {
        auto const p = on["user_embedding"], q = on["item_embedding"];
        auto const p_u = gather(p, batch.users);
        auto const q_p = gather(q, batch.positives), q_n = gather(q, batch.negatives);
        auto const bpr = bpr_loss(p_u, q_p, q_n);
        auto const& all = batch.all();
        auto const norms = batch.whole == nullptr
                               ? embedding_loss({p_u, q_p, q_n})
                               : embedding_loss({gather(p, all.users), gather(q, all.positives),
                                                 gather(q, all.negatives)});
        terms = {{"mf_loss", bpr}, {"reg_loss", norms}};
        return bpr + static_cast<T>(values_.reg_weight) * norms;
    }

    Sides<B> represent(OnTape<B> const& on) { return {on["user_embedding"], on["item_embedding"]}; }

private:
    HyperParameters values_;
};

}  // namespace polder::recsys
