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
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/models/graph.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/model.hpp"
#include "recsys/models/smoothing.hpp"
#include "recsys/tape/operations.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Hyper-parameters of LightGCN.
struct LightGCNHyperParameters {
    int embedding_size = 64;
    int n_layers = 3;
    double reg_weight = 1e-4;

    using Row = HyperParameter<LightGCNHyperParameters>;
    static constexpr double unlimited = std::numeric_limits<double>::infinity();
    static constexpr std::array table{
        Row{"embedding_size", &LightGCNHyperParameters::embedding_size, 1, 65536,
            "d, numbers per user and item"},
        Row{"n_layers", &LightGCNHyperParameters::n_layers, 0, 64,
            "L, propagations over the graph"},
        Row{"reg_weight", &LightGCNHyperParameters::reg_weight, 0, unlimited,
            "weight of the norms of the batch's embeddings"},
    };
};

/// LightGCN on one data set.
template <class B>
class LightGCN final : public ModelOn<B> {
    using T = typename B::Scalar;
    using typename ModelOn<B>::Arena;
    using typename ModelOn<B>::Loss;

public:
    using HyperParameters = LightGCNHyperParameters;
    static constexpr std::string_view model_name = "lightgcn";
    static constexpr std::string_view source = "He et al., SIGIR 2020";

    LightGCN(Dataset const& data, HyperParameters const& values, int threads)
        : values_(check(values, model_name)), n_users_(data.n_users), n_items_(data.n_items),
          graph_(normalised_interactions<T>(data)), tape_(B(threads)) {}

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
        xavier_uniform(parameters, "user_embedding", seed);
        xavier_uniform(parameters, "item_embedding", seed);
    }

    Loss loss(Arena const& parameters, Triples const& batch, Pass, Arena& gradient) override {
        check(batch, n_users_, n_items_);
        const auto users = batch.users, positives = batch.positives, negatives = batch.negatives;
        batch_users_.assign(graph_.interactions().rows, {users});
        batch_items_.assign(graph_.interactions().cols, {positives, negatives});

        tape_.reset();
        const auto p = tape_.parameter(parameters["user_embedding"], gradient["user_embedding"]);
        const auto q = tape_.parameter(parameters["item_embedding"], gradient["item_embedding"]);
        // Taken first, so that `backward` adds these few rows to a gradient that is already full.
        const auto p_u = gather(p, users), q_p = gather(q, positives), q_n = gather(q, negatives);

        const auto [u, i] =
            graph_.mean_of_layers({p, q}, values_.n_layers, batch_users_, batch_items_);
        const auto u_b = gather(u, users);
        const auto bpr =
            bpr_loss(row_dot(u_b, gather(i, positives)), row_dot(u_b, gather(i, negatives)));
        const auto norms = embedding_loss({p_u, q_p, q_n});
        const auto total = bpr + static_cast<T>(values_.reg_weight) * norms;
        tape_.backward(total);

        terms_ = {{{"mf_loss", bpr.loss()}, {"reg_loss", norms.loss()}}};
        return total.loss();
    }

    [[nodiscard]] std::vector<LossTerm> terms() const override { return read_terms<B>(terms_); }

    [[nodiscard]] Representations<T> representations(Arena const& parameters) override {
        tape_.reset();
        const auto [u, i] = graph_.mean_of_layers({tape_.constant(parameters["user_embedding"]),
                                                   tape_.constant(parameters["item_embedding"])},
                                                  values_.n_layers);
        return {u.value(), i.value()};
    }

    [[nodiscard]] std::vector<NamedGraph<T>> graphs() const override {
        return {{"interactions", &graph_.interactions()}};
    }

private:
    HyperParameters values_;
    std::int32_t n_users_, n_items_;
    Smoothing<B> graph_;  // R
    Tape<B> tape_;
    RowSet batch_users_, batch_items_;
    std::array<TermOf<Loss>, 2> terms_{};
};

}  // namespace polder::recsys
