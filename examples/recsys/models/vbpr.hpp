/// VBPR: matrix factorisation whose items are known by their features, too.
///
/// He, McAuley: VBPR: Visual Bayesian Personalized Ranking from Implicit Feedback, AAAI 2016. Details
/// where the paper leaves a choice, and all that the features of several modalities need: MMRec
/// (enoche/MMRec), src/models/vbpr.py.
///
///     F (n_items, D)      features, constant: [textual | visual], or the one modality there is
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
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/models/bound_parameters.hpp"
#include "recsys/models/distinct_ids.hpp"
#include "recsys/models/features.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/model.hpp"
#include "recsys/tape/operations.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Hyper-parameters of VBPR.
struct VBPRHyperParameters {
    int embedding_size = 64;
    double reg_weight = 0.01;  // the middle of the reference's grid, which has 1e-5 to 2

    using Row = HyperParameter<VBPRHyperParameters>;
    static constexpr double unlimited = std::numeric_limits<double>::infinity();
    static constexpr std::array table{
        Row{"embedding_size", &VBPRHyperParameters::embedding_size, 1, 65536,
            "d, numbers per item; users have twice as many"},
        Row{"reg_weight", &VBPRHyperParameters::reg_weight, 0, unlimited,
            "weight of the norms of the batch's users and items"},
    };
};

/// VBPR on one data set with features.
template <class B>
class VBPR final : public ModelOn<B> {
    using T = typename B::Scalar;
    using typename ModelOn<B>::Arena;
    using typename ModelOn<B>::Loss;

public:
    using HyperParameters = VBPRHyperParameters;
    static constexpr std::string_view model_name = "vbpr";
    static constexpr std::string_view source = "He and McAuley, AAAI 2016";

    VBPR(Dataset const& data, HyperParameters const& values, int threads)
        : values_(check(values, model_name)), n_users_(data.n_users), n_items_(data.n_items),
          features_(textual_and_visual<T>(data, model_name)), tape_(B(threads)) {}

    [[nodiscard]] std::string_view name() const override { return model_name; }

    [[nodiscard]] std::vector<HyperParameterValue> hyper_parameters() const override {
        return list(values_);
    }

    void declare(ParameterArena<T>& parameters) const override {
        const auto d = static_cast<std::size_t>(values_.embedding_size);
        parameters.add("user_embedding", static_cast<std::size_t>(n_users_), 2 * d);
        parameters.add("item_embedding", static_cast<std::size_t>(n_items_), d);
        parameters.add("item_linear.weight", d, features_.columns());
        parameters.add("item_linear.bias", 1, d);
    }

    void initialise(ParameterArena<T>& parameters, std::uint64_t seed) const override {
        xavier_uniform(parameters, "user_embedding", seed);
        xavier_uniform(parameters, "item_embedding", seed);
        xavier_normal(parameters, "item_linear.weight", seed);
        zeros(parameters, "item_linear.bias");
    }

    Loss loss(Arena const& parameters, Triples const& batch, Pass, Arena& gradient) override {
        check(batch, n_users_, n_items_);
        items_.assign(features_.view().rows, {batch.positives, batch.negatives});
        tape_.reset();
        const BoundParameters<B> of(tape_, parameters, &gradient);
        const auto p_u = gather(of["user_embedding"], batch.users);
        const auto e = compose(of, gather(of["item_embedding"], items_.ids()),
                               gather(tape_.constant(features_), items_.ids()));
        const auto e_p = gather(e, items_.places(0)), e_n = gather(e, items_.places(1));

        const auto bpr = bpr_loss(row_dot(p_u, e_p), row_dot(p_u, e_n));
        const auto norms = embedding_loss({p_u, e_p, e_n});
        const auto total = bpr + static_cast<T>(values_.reg_weight) * norms;
        tape_.backward(total);

        terms_ = {{{"mf_loss", bpr.loss()}, {"reg_loss", norms.loss()}}};
        return total.loss();
    }

    [[nodiscard]] std::vector<LossTerm> terms() const override { return read_terms<B>(terms_); }

    [[nodiscard]] Representations<T> representations(Arena const& parameters) override {
        tape_.reset();
        const BoundParameters<B> of(tape_, parameters);
        const auto e = compose(of, of["item_embedding"], tape_.constant(features_));
        return {parameters["user_embedding"], e.value()};
    }

private:
    using Matrix = Value<B>;

    // e_i for rows of Q and F that belong to the same items.
    Matrix compose(BoundParameters<B> const& of, Matrix q, Matrix f) {
        parts_.assign({q, linear(f, of["item_linear.weight"], of["item_linear.bias"])});
        return concatenate_columns(parts_);
    }

    HyperParameters values_;
    std::int32_t n_users_, n_items_;
    Features<T> features_;  // F
    Tape<B> tape_;
    DistinctIds items_;
    std::vector<Matrix> parts_;
    std::array<TermOf<Loss>, 2> terms_{};
};

}  // namespace polder::recsys
