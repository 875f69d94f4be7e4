/// Losses: scalars of scores or of embeddings.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <numbers>
#include <span>

#include "recsys/tape/dense.hpp"
#include "recsys/tape/elementwise.hpp"
#include "recsys/tape/operand.hpp"
#include "recsys/tape/profile.hpp"
#include "recsys/tape/reductions.hpp"

namespace polder::recsys {

/// Bayesian personalised ranking with a guard inside the logarithm, scores p of positive and n of
/// negative items, s = 1 / (1 + exp(n - p)):
///     L = -(1/B) sum_b log(1e-10 + s_b)
///     dp_b += -(1/B) s_b (1 - s_b) / (1e-10 + s_b) dL,     dn_b += the same with the sign changed
/// Rendle et al., BPR, 2009; the guard is MMRec's: at p - n << -23 the loss is 23.03 and flat.
template <class B>
Value<B> bpr_loss(Value<B> positive, Value<B> negative) {
    using T = typename B::Scalar;
    detail::check_equal("bpr_loss", positive, negative);
    const TimedPart timed(Part::loss);
    auto& tape = positive.tape();
    const T share = T(1) / static_cast<T>(positive.rows());
    constexpr T guard = T(1e-10);
    auto const y = tape.make({positive, negative}, 1, 1);
    tape.backend().sum(
        [share] POLDER_IN_KERNEL(T p, T n) {
            return -share * std::log(guard + T(1) / (T(1) + std::exp(n - p)));
        },
        y.result(), positive.value(), negative.value());
    return tape.on_backward(y, [positive, negative, y, share] {
        const TimedPart timed(Part::loss);
        y.tape().backend().map(
            [share] POLDER_IN_KERNEL(T & dp, T & dn, T dy, T p, T n) {
                const T s = T(1) / (T(1) + std::exp(n - p));
                const T slope = dy * share * s * (T(1) - s) / (guard + s);
                dp -= slope;
                dn += slope;
            },
            positive.gradient_sum(), negative.gradient_sum(), single(y.gradient()),
            positive.value(), negative.value());
    });
}

/// The same for rows of users, positive and negative items, x_b = u_b . p_b - u_b . n_b:
///     L = -(1/B) sum_b log(1e-10 + sigma(x_b))
template <class B>
Value<B> bpr_loss(Value<B> users, Value<B> positives, Value<B> negatives) {
    return bpr_loss(row_dot(users, positives), row_dot(users, negatives));
}

/// The same without a guard, weighted: L = -w sum_b log s_b, computed as w softplus(n - p), which neither
/// overflows nor flattens out.
///     dp_b -= w (1 - s_b) dL,     dn_b += w (1 - s_b) dL
/// w = 1/B is the mean over the batch, w = 1/(B ln 2) that of logarithms to base 2.
template <class B>
Value<B> softplus_bpr_loss(Value<B> positive, Value<B> negative, typename B::Scalar w) {
    using T = typename B::Scalar;
    detail::check_equal("softplus_bpr_loss", positive, negative);
    const TimedPart timed(Part::loss);
    auto& tape = positive.tape();
    auto const y = tape.make({positive, negative}, 1, 1);
    tape.backend().sum(
        [w] POLDER_IN_KERNEL(T p, T n) {
            const T x = n - p;
            return w * ((x > T(0) ? x : T(0)) + std::log1p(std::exp(-std::abs(x))));
        },
        y.result(), positive.value(), negative.value());
    return tape.on_backward(y, [positive, negative, y, w] {
        const TimedPart timed(Part::loss);
        y.tape().backend().map(
            [w] POLDER_IN_KERNEL(T & dp, T & dn, T dy, T p, T n) {
                const T slope = dy * w / (T(1) + std::exp(p - n));
                dp -= slope;
                dn += slope;
            },
            positive.gradient_sum(), negative.gradient_sum(), single(y.gradient()),
            positive.value(), negative.value());
    });
}

/// w = 1/(B ln 2), for a batch of B rows.
template <class T>
T mean_to_base_2(std::size_t rows) {
    return static_cast<T>(1 / (std::numbers::ln2 * static_cast<double>(rows)));
}

/// Ranking of rows (u_b, p_b, n_b) of embeddings by inner products, the mean over the batch:
///     L = -(1/B) sum_b log sigma(u_b . p_b - u_b . n_b)
template <class B>
Value<B> ranking_loss(Value<B> users, Value<B> positives, Value<B> negatives) {
    using T = typename B::Scalar;
    return softplus_bpr_loss(row_dot(users, positives), row_dot(users, negatives),
                             T(1) / static_cast<T>(users.rows()));
}

/// Cross-entropy of inner products (InfoNCE), queries Q (B x d), keys K (n x d), temperature t:
///     L = w sum_b ( log sum_z exp(Q_b . K_z / t) - Q_b . K_positive(b) / t )
/// With P_bz = softmax_z(Q_b . K_z / t) - [z = positive(b)]:
///     dQ_b += dL w/t sum_z P_bz K_z,     dK_z += dL w/t sum_b P_bz Q_b
/// `positive` has a row of K for every row of Q, and stays where it is until `backward`. The (B x n)
/// products are made and used in tiles, never kept.
/// van den Oord, Li, Vinyals: Representation Learning with Contrastive Predictive Coding, 2018, eq. (4).
template <class B>
Value<B> info_nce(Value<B> queries, Value<B> keys, std::span<std::int32_t const> positive,
                  typename B::Scalar temperature, typename B::Scalar w) {
    using T = typename B::Scalar;
    detail::check_shapes(queries.cols() == keys.cols() && positive.size() == queries.rows(),
                         "info_nce", queries, keys, "as many columns, and a key for every query");
    const TimedPart timed(Part::loss);
    auto& tape = queries.tape();
    auto const log_sum = tape.scratch(queries.rows(), 1);
    auto const loss = tape.scratch(queries.rows(), 1);
    auto const y = tape.make({queries, keys}, 1, 1);
    tape.backend().log_sum_exp_products(queries.value(), keys.value(), positive, T(1) / temperature,
                                        log_sum.result(), loss.result());
    tape.backend().sum([w] POLDER_IN_KERNEL(T l) { return w * l; }, y.result(), loss.value());
    return tape.on_backward(y, [queries, keys, positive, log_sum, y, temperature, w] {
        const TimedPart timed(Part::loss);
        auto& backend = y.tape().backend();
        if (queries.is_variable())
            backend.add_softmax_products(queries.value(), keys.value(), positive,
                                         T(1) / temperature, log_sum.value(), w / temperature,
                                         single(y.gradient()), queries.gradient_sum());
        if (keys.is_variable())
            backend.add_transposed_softmax_products(
                queries.value(), keys.value(), positive, T(1) / temperature, log_sum.value(),
                w / temperature, single(y.gradient()), keys.gradient_sum());
    });
}

/// A regulariser of embeddings X_0 .. X_n: the sum of their Frobenius norms, which are not squared,
/// divided by the rows of X_n.
///     dX_k += dL X_k / (rows |X_k|_F)
/// MMRec's EmbLoss; with the rows of a batch, what occurs twice counts twice.
template <class B>
Value<B> embedding_loss(std::initializer_list<Value<B>> xs) {
    using T = typename B::Scalar;
    Value<B> norms = frobenius_norm(*xs.begin());
    for (auto x = xs.begin() + 1; x != xs.end(); ++x) norms = norms + frobenius_norm(*x);
    return T(1) / static_cast<T>((xs.end() - 1)->rows()) * norms;
}

}  // namespace polder::recsys
