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
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/model.hpp"
#include "recsys/tape/operations.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Hyper-parameters of BPR.
struct BPRHyperParameters {
    int embedding_size = 64;
    double reg_weight = 0.01;  // the middle of the reference's grid, which has 1e-5 to 2

    using Row = HyperParameter<BPRHyperParameters>;
    static constexpr double unlimited = std::numeric_limits<double>::infinity();
    static constexpr std::array table{
        Row{"embedding_size", &BPRHyperParameters::embedding_size, 1, 65536,
            "d, numbers per user and item"},
        Row{"reg_weight", &BPRHyperParameters::reg_weight, 0, unlimited,
            "weight of the norms of the batch's embeddings"},
    };
};

/// BPR on one data set.
template <class B>
class BPR final : public ModelOn<B> {
    using T = typename B::Scalar;
    using typename ModelOn<B>::Arena;
    using typename ModelOn<B>::Loss;

public:
    using HyperParameters = BPRHyperParameters;
    static constexpr std::string_view model_name = "bpr";
    static constexpr std::string_view source = "Rendle et al., UAI 2009";

    BPR(Dataset const& data, HyperParameters const& values, int threads)
        : values_(check(values, model_name)), n_users_(data.n_users), n_items_(data.n_items),
          tape_(B(threads)) {}

    [[nodiscard]] std::string_view name() const override { return model_name; }

    [[nodiscard]] std::vector<HyperParameterValue> hyper_parameters() const override {
        return list(values_);
    }

    void declare(ParameterArena<T>& parameters) const override {
        const auto d = static_cast<std::size_t>(values_.embedding_size);
        parameters.add("user_embedding", static_cast<std::size_t>(n_users_), d);
        parameters.add("item_embedding", static_cast<std::size_t>(n_items_), d);
    }

    void initialise(ParameterArena<T>& parameters, std::uint64_t seed) const override {
        xavier_normal(parameters, "user_embedding", seed);
        xavier_normal(parameters, "item_embedding", seed);
    }

    Loss loss(Arena const& parameters, Triples const& batch, Pass, Arena& gradient) override {
        check(batch, n_users_, n_items_);
        tape_.reset();
        const auto p = tape_.parameter(parameters["user_embedding"], gradient["user_embedding"]);
        const auto q = tape_.parameter(parameters["item_embedding"], gradient["item_embedding"]);
        const auto p_u = gather(p, batch.users);
        const auto q_p = gather(q, batch.positives), q_n = gather(q, batch.negatives);

        const auto bpr = bpr_loss(row_dot(p_u, q_p), row_dot(p_u, q_n));
        const auto norms = embedding_loss({p_u, q_p, q_n});
        const auto total = bpr + static_cast<T>(values_.reg_weight) * norms;
        tape_.backward(total);

        terms_ = {{{"mf_loss", bpr.loss()}, {"reg_loss", norms.loss()}}};
        return total.loss();
    }

    [[nodiscard]] std::vector<LossTerm> terms() const override { return read_terms<B>(terms_); }

    [[nodiscard]] Representations<T> representations(Arena const& parameters) override {
        return {parameters["user_embedding"], parameters["item_embedding"]};
    }

private:
    HyperParameters values_;
    std::int32_t n_users_, n_items_;
    Tape<B> tape_;
    std::array<TermOf<Loss>, 2> terms_{};
};

}  // namespace polder::recsys
