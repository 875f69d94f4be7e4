/// AMR: VBPR that also ranks well when the features are moved where that hurts most.
///
/// Tang, Du, He, Yuan, Tian, Chua: Adversarial Training Towards Robust Multimedia Recommender System,
/// TKDE 2020. Details where the paper leaves a choice: the authors' code (duxy-me/AMR),
/// src/model/VBPR.py and src/solver/Solver.py.
///
///     F (n_items, D)                        features, constant, divided by the largest magnitude in them
///     P (n_users, d), Q (n_items, d), phi (D, d)
///     e_i = Q_i + phi^T F_i,     score(u, i) = P_u . e_i
///
///     x_b     = P_u . e_p - P_u . e_n       for the rows b = (u, p, n) of a batch
///     L(x)    = -sum_b log sigma(x_b)
///     G_i     = dL/dF_i = phi c_i,    c_i = sum_b (1 - sigma(x_b)) P_u ([n = i] - [p = i])
///     Delta_i = epsilon G_i / sqrt(max(|G_i|^2, 1e-12)),     a constant for the gradient
///     x'      = x with F_i + Delta_i in place of F_i
///     loss    = L(x) + lmd L(x') + regs_0 sum_b |P_u|^2 + regs_1 sum_b (|e_p|^2 + |e_n|^2) + regs_2 |phi|^2
///
/// With M = phi^T phi (d, d), |G_i|^2 = c_i . M c_i and phi^T Delta_i = epsilon M c_i / |G_i|: nothing
/// that is adversarial has D columns.
///
/// mode = mmrec is the same on MMRec's VBPR (vbpr.hpp), so that the two compare under one protocol. That
/// is an adaptation, not the authors' model: P (n_users, 2 d), e_i = [Q_i | W F_i + b], features as they
/// are, c_i with the second half of P_u, W in place of phi^T, and, with the losses of VBPR,
///
///     loss = bpr(x) + lmd bpr(x') + reg_weight (|P_u|_F + |e_p|_F + |e_n|_F) / B
///
/// Choices that change results, where a reading can go wrong:
/// - Delta has length epsilon in every row, from a gradient that is summed over all rows of the batch in
///   which the item occurs. It is neither per row of the batch nor has it one norm for all items.
/// - 1e-12 bounds the square of the length: a row with |G_i| < 1e-6 gets a shorter Delta. Both modes
///   take G from the sum over the batch: with the mean, rows fall below that late in training.
/// - epsilon is relative to features whose largest magnitude is 1; on raw ones it is far weaker.
/// - Losses and regularisers are sums over the batch, here of squares without 1/2, so that learning
///   rates of mean losses do not carry over. The authors' are 0.01 for P, 1e-4 for Q and 1e-3 for phi,
///   each with Adagrad whose sums start at 0.1, on batches of 512.
/// - regs_1 takes the composed e_i and thereby reaches phi.
/// - The authors start from the weights of a finished VBPR (adv = false), and measure what is gained.
///   Initial values here are those that they start VBPR from: normal, deviation 0.01, without tails.
/// - Their features are visual only. Here textual columns come first where there are any.
/// - adv_type = rand draws G_i from a normal law instead.
/// - Scores are those of the features as they are.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <polder/config.hpp>

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

/// Hyper-parameters of AMR.
struct AMRHyperParameters {
    std::string mode = "official";
    int embedding_size = 64;
    bool adv = true;
    std::string adv_type = "grad";
    double epsilon = 0.1;
    double lmd = 1;
    std::vector<double> regs = {0.1, 1e-3, 0};
    double reg_weight = 0.01;  // as VBPR
    bool scale_features = true;

    using Self = AMRHyperParameters;
    using Row = HyperParameter<Self>;
    static constexpr std::array table{
        Row::of("mode", &Self::mode, "the authors' model, or the adaptation of MMRec's VBPR",
                "official|mmrec"),
        Row{"embedding_size", &Self::embedding_size, 1, 65536,
            "d, numbers per item, and in the mode 'official' per user"},
        Row::of("adv", &Self::adv, "whether features are moved; false: VBPR"),
        Row::of("adv_type", &Self::adv_type, "features are moved along the gradient or at random",
                "grad|rand"),
        Row{"epsilon", &Self::epsilon, 0, unlimited,
            "by how much the features of an item are moved"},
        Row{"lmd", &Self::lmd, 0, unlimited, "weight of the loss with moved features"},
        Row{"regs", &Self::regs, 0, unlimited,
            "weights of squared norms in the mode 'official': users, items, phi"},
        Row{"reg_weight", &Self::reg_weight, 0, unlimited,
            "weight of the norms of the batch's users and items in the mode 'mmrec'"},
        Row::of("scale_features", &Self::scale_features,
                "whether the mode 'official' divides features by their largest magnitude"),
    };
};

namespace detail {

// epsilon / |G_i| of |G_i|^2, a constant for the gradient.
template <class T>
struct AdversarialReach {
    T epsilon;
    POLDER_HOST_DEVICE T operator()(T square) const {
        return epsilon / std::sqrt(std::max(square, T(1e-12)));
    }
};
template <class T>
struct NoSlope {
    POLDER_HOST_DEVICE T operator()(T, T) const { return T(0); }
};

}  // namespace detail

/// AMR on one data set with features.
template <class B>
class AMR {
    using T = typename B::Scalar;
    using Matrix = Value<B>;

public:
    using HyperParameters = AMRHyperParameters;
    static constexpr std::string_view model_name = "amr";
    static constexpr std::string_view source = "Tang et al., TKDE 2020";

    static InParts in_parts(HyperParameters const& values) {
        return {.is_sum = values.mode == "official"};
    }

    AMR(Dataset const& data, HyperParameters const& values, int)
        : values_(values), is_official_(values.mode == "official"),
          features_(all_side_by_side<T>(data, model_name)) {
        if (values.regs.size() != 3)
            detail::refuse(model_name, "regs", detail::text_of(values.regs), "three numbers");
        if (is_official_ && values.scale_features) features_.divide_by_largest();
    }

    void parameters(ParameterList<T>& list) const {
        auto const d = values_.embedding_size;
        if (is_official_) {
            TruncatedNormal const small{0.01};
            list.add_users("user_embedding", d, small);
            list.add_items("item_embedding", d, small);
            list.add("phi", features_.columns(), d, small);
        } else {
            list.add_users("user_embedding", 2 * d, xavier_uniform);
            list.add_items("item_embedding", d, xavier_uniform);
            list.add("item_linear.weight", d, features_.columns(), xavier_normal);
            list.add("item_linear.bias", 1, d, zeros);
        }
    }

    Matrix loss(OnTape<B> const& on, Triples const& batch, LossTerms<B>& terms) {
        // How features are moved follows from the whole batch, also where this is a part of it. So do norms.
        auto const& all = values_.adv || !is_official_ ? batch.all() : batch;
        auto const own = [&](Matrix x) { return rows_of(batch, x); };
        items_.assign(features_.view().rows, {all.positives, all.negatives});
        auto const p_u = gather(on["user_embedding"], all.users);
        auto const q = gather(on["item_embedding"], items_.ids());
        auto const w = on[name_of_w()];
        auto const shown = project(on, w, gather(on.constant(features_), items_.ids()));

        auto const e = compose(q, shown);
        auto const e_p = gather(e, items_.places(0)), e_n = gather(e, items_.places(1));
        auto const positive = row_dot(p_u, e_p), negative = row_dot(p_u, e_n);
        auto const clean = ranking(own(positive), own(negative));
        auto total = clean;

        std::optional<Matrix> adversarial;
        if (values_.adv) {
            auto const towards =
                values_.adv_type == "grad" ? worst(p_u, negative - positive, w) : random(on, w);
            auto const moved = compose(q, shown + towards);
            adversarial = ranking(own(row_dot(p_u, gather(moved, items_.places(0)))),
                                  own(row_dot(p_u, gather(moved, items_.places(1)))));
            total = total + static_cast<T>(values_.lmd) * *adversarial;
        }

        if (is_official_) {
            // |phi|^2 is in the batch once, and so is a share of it in each part.
            auto const share = static_cast<T>(1 / batch.parts());
            std::array const squares = {sum_of_squares(own(p_u)), sum_of_squares(own(e_p)),
                                        sum_of_squares(own(e_n)), share * sum_of_squares(w)};
            std::array const weights = {values_.regs[0], values_.regs[1], values_.regs[1],
                                        values_.regs[2]};
            for (std::size_t k = 0; k < squares.size(); ++k)
                total = total + static_cast<T>(weights[k]) * squares[k];
            terms = {{"loss", clean},
                     {"adv_loss", adversarial},
                     {"sum_p_sq", squares[0]},
                     {"sum_q_pos_sq", squares[1]},
                     {"sum_q_neg_sq", squares[2]},
                     {"sum_phi_sq", squares[3]}};
        } else {
            auto const norms = embedding_loss({p_u, e_p, e_n});
            total = total + static_cast<T>(values_.reg_weight) * norms;
            terms = {{"mf_loss", clean}, {"adv_loss", adversarial}, {"reg_loss", norms}};
        }
        return total;
    }

    Sides<B> represent(OnTape<B> const& on) {
        auto const shown = project(on, on[name_of_w()], on.constant(features_));
        return {on["user_embedding"], compose(on["item_embedding"], shown)};
    }

private:
    // phi multiplies features from the right, W is transposed first.
    Form form_of_w() const { return is_official_ ? Form::plain : Form::transposed; }

    std::string_view name_of_w() const { return is_official_ ? "phi" : "item_linear.weight"; }

    // phi^T F_i, or W F_i + b.
    Matrix project(OnTape<B> const& on, Matrix w, Matrix f) {
        auto const shown = product(f, Form::plain, w, form_of_w());
        return is_official_ ? shown : add_row(shown, on["item_linear.bias"]);
    }

    // e_i of Q_i and the projected features.
    Matrix compose(Matrix q, Matrix shown) {
        if (is_official_) return q + shown;
        return concatenate_columns({q, shown});
    }

    Matrix ranking(Matrix positive, Matrix negative) {
        return is_official_ ? softplus_bpr_loss(positive, negative, T(1))
                            : bpr_loss(positive, negative);
    }

    // phi^T Delta_i for the items of the batch, along the gradient of the clean loss. z = -x.
    Matrix worst(Matrix p_u, Matrix z, Matrix w) {
        auto const push = sigmoid(stop_gradient(z));
        auto const user = stop_gradient(p_u);
        auto const d = static_cast<std::size_t>(values_.embedding_size);
        auto const pull = scale_rows(push, is_official_ ? user : slice_columns(user, d, d));
        std::size_t const n = items_.ids().size();
        auto const c = scatter(pull, items_.places(1), n) - scatter(pull, items_.places(0), n);

        auto const fixed_w = stop_gradient(w);
        auto const m = product(fixed_w, detail::flip(form_of_w()), w, form_of_w());
        auto const square_of_g = row_dot(c, product(c, stop_gradient(m)));
        return product(scale_rows(reach(square_of_g), c), m);
    }

    // The same with random directions.
    Matrix random(OnTape<B> const& on, Matrix w) {
        auto const ids = items_.ids();
        std::size_t const columns = features_.columns();
        auto const* const fixed = on.noise().fixed("adversarial_delta");
        if (fixed != nullptr && fixed->size() != features_.view().size())
            throw std::invalid_argument("noise: 'adversarial_delta' has " +
                                        std::to_string(fixed->size()) + " values, expected " +
                                        std::to_string(features_.view().size()));
        Random stream = on.noise().of_batch("adversarial_delta");
        g_.rows = ids.size();
        g_.cols = columns;
        g_.values.resize(ids.size() * columns);
        g_.mirror.forget();
        for (std::size_t k = 0; k < ids.size(); ++k)
            for (std::size_t j = 0; j < columns; ++j)
                g_.values[k * columns + j] =
                    static_cast<T>(fixed ? (*fixed)[static_cast<std::size_t>(ids[k]) * columns + j]
                                         : stream.truncated_normal());
        auto const g = on.constant(g_);
        auto const delta = scale_rows(reach(row_dot(g, g)), g);
        return product(delta, Form::plain, w, form_of_w());
    }

    // epsilon / |G_i|, of constants only.
    Matrix reach(Matrix square_of_g) {
        return apply(square_of_g, detail::AdversarialReach<T>{static_cast<T>(values_.epsilon)},
                     detail::NoSlope<T>{});
    }

    HyperParameters values_;
    bool is_official_;
    Features<T> features_;  // F
    DistinctIds items_;
    HostMatrix<T> g_;
};

}  // namespace polder::recsys
