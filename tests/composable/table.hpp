// The policies that polder ships, one line each: what is mixed with what. A line makes the policy with hyper-parameters
// at random and writes the same ones into the reference in plain loops. A new policy is one line here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

#include <polder/polder.hpp>

#include "support/plain_reference.hpp"
#include "support/random.hpp"

namespace polder::test::table {

// The lines write what they draw to both sides: `.rho = p.rho = r.uniform(...)`.

template <class Estimate, class Norm>
inline constexpr auto fisher = [](Random& r, plain::Perturb& p) {
    p.ball = plain::Ball::fisher;
    if constexpr (std::is_same_v<Norm, MetricNormPerBlock>)
        p.norm = plain::FisherNorm::metric_per_block;
    if constexpr (std::is_same_v<Norm, EuclideanNorm>) p.norm = plain::FisherNorm::euclidean;
    FisherBall<Estimate, Norm> ball{.rho = p.rho = r.uniform(0.05, 0.3),
                                    .eta = p.eta = r.uniform(0, 2),
                                    .damping = p.damping = r.uniform(0.1, 1)};
    if constexpr (std::is_same_v<Estimate, RunningFisher>) {
        p.estimate = plain::Estimate::running;
        ball.estimate.decay = p.decay = r.uniform(0, 0.9);
    } else if constexpr (std::is_same_v<Estimate, SampleFisher>) {
        p.estimate = plain::Estimate::samples;
        ball.estimate.samples = p.samples = static_cast<int>(r.integer(1, 3));
    }
    return ball;
};

// clang-format off
inline constexpr std::tuple balls{
    [](Random& r, plain::Perturb& p) { p.ball = plain::Ball::euclidean; return EuclideanBall{.rho = p.rho = r.uniform(0.05, 0.3)}; },
    [](Random& r, plain::Perturb& p) { p.ball = plain::Ball::adaptive; return AdaptiveBall{.rho = p.rho = r.uniform(0.1, 0.6), .eta = p.eta = r.uniform(0, 0.1)}; },
    [](Random& r, plain::Perturb& p) { p.ball = plain::Ball::infinity; return InfinityBall{.rho = p.rho = r.uniform(0.01, 0.05)}; },
    [](Random& r, plain::Perturb& p) { p.ball = plain::Ball::manhattan; return ManhattanBall{.rho = p.rho = r.uniform(0.05, 0.3)}; },
    [](Random& r, plain::Perturb& p) { p.ball = plain::Ball::p_norm; return PNormBall{.rho = p.rho = r.uniform(0.05, 0.3), .p = p.p = r.coin() ? 3 : r.uniform(1.5, 4)}; },
    fisher<BatchFisher, MetricNorm>, fisher<BatchFisher, MetricNormPerBlock>, fisher<BatchFisher, EuclideanNorm>,
    fisher<RunningFisher, MetricNorm>, fisher<RunningFisher, MetricNormPerBlock>, fisher<RunningFisher, EuclideanNorm>,
    fisher<SampleFisher, MetricNorm>, fisher<SampleFisher, MetricNormPerBlock>, fisher<SampleFisher, EuclideanNorm>,
};
// clang-format on

inline void around(plain::Perturb& p, plain::Around what) {
    p.around.insert(p.around.begin(), what);
}

// What is around a ball and leaves coordinates out.
inline constexpr std::tuple leaving_out{
    []<class Ball>(Ball ball, Random&, plain::Perturb& p) {  // the mask is drawn by the test
        around(p, plain::Around::mask);
        return Masked<Ball, FixedMask>{ball, {}};
    },
    []<class Ball>(Ball ball, Random& r, plain::Perturb& p) {
        around(p, plain::Around::mask);
        p.mask.kind = plain::MaskKind::fisher;
        FisherMask const mask{.sparsity = p.mask.sparsity = r.uniform(0.1, 0.9),
                              .samples = p.mask.samples = static_cast<int>(r.integer(1, 4)),
                              .refresh_epochs = p.mask.refresh_epochs = r.integer(1, 2)};
        return Masked<Ball, FisherMask>{ball, mask};
    },
    []<class Ball>(Ball ball, Random& r, plain::Perturb& p) {
        around(p, plain::Around::mask);
        p.mask.kind = plain::MaskKind::dynamic;
        auto const by = static_cast<int>(r.integer(0, 2)),
                   grown = static_cast<int>(r.integer(0, 2));
        p.mask.drop = static_cast<plain::Score>(by);
        p.mask.growth = static_cast<plain::Score>(grown);
        DynamicMask const mask{.sparsity = p.mask.sparsity = r.uniform(0.1, 0.9),
                               .drop_rate = p.mask.drop_rate = r.uniform(0.1, 0.9),
                               .drop = static_cast<Score>(by),
                               .growth = static_cast<Score>(grown),
                               .refresh_epochs = p.mask.refresh_epochs = r.integer(1, 2),
                               .first_epoch = p.mask.first_epoch = r.integer(0, 1),
                               .last_epoch = p.mask.last_epoch = r.integer(2, 9),
                               .seed = r.integer(0, 1000)};
        p.mask.random_score = [mask](std::size_t i, std::uint64_t draw) {
            return mask.random_score(i, draw);
        };
        return Masked<Ball, DynamicMask>{ball, mask};
    },
    []<class Ball>(Ball ball, Random& r, plain::Perturb& p) {
        around(p, plain::Around::bernoulli);
        Stochastic<Ball> const stochastic{ball, p.beta = r.uniform(0.3, 1), r.integer(0, 1000)};
        p.draw = [beta = stochastic.beta, seed = stochastic.seed](std::uint64_t t, std::size_t i) {
            return detail::drawn(seed, i, t) < beta;
        };
        return stochastic;
    }};

// What is around a ball, or around one of these, and changes the way to the point.
inline constexpr std::tuple other_ways{
    []<class Ball>(Ball ball, Random&, plain::Perturb& p) {
        around(p, plain::Around::centralised);
        return Centralised<Ball>{ball};
    },
    []<class Ball>(Ball ball, Random& r, plain::Perturb& p) {
        around(p, plain::Around::ascents);
        return SeveralAscents<Ball>{ball, p.ascents = static_cast<int>(r.integer(1, 3))};
    },
    []<class Ball>(Ball ball, Random&, plain::Perturb& p) {
        around(p, plain::Around::relative);
        return Relative<Ball>{ball};
    },
    []<class Ball>(Ball ball, Random&, plain::Perturb& p) {
        around(p, plain::Around::relative_per_block);
        return Relative<Ball, true>{ball};
    }};
inline constexpr std::size_t several_ascents = 1;  // its place among the other ways

// clang-format off
inline constexpr std::tuple references{
    [](Random& r, plain::Distance& d) { d.reference = plain::Reference::moving; return MovingAverage{d.lambda = r.uniform(0.2, 0.9)}; },
    [](Random& r, plain::Distance& d) { d.reference = plain::Reference::lagged; return LaggedAverage{d.lambda = r.uniform(0.2, 0.9)}; },
    [](Random& r, plain::Distance& d) { d.reference = plain::Reference::lagged_reduced; return LaggedReducedAverage{d.lambda = r.uniform(0.2, 0.9)}; }};

inline constexpr std::tuple measures{
    [](Random&, plain::Distance& d) { d.measure = plain::Measure::manhattan; return Manhattan{}; },
    [](Random&, plain::Distance& d) { d.measure = plain::Measure::manhattan_mean; return ManhattanMean{}; },
    [](Random&, plain::Distance& d) { d.measure = plain::Measure::euclidean; return Euclidean{}; },
    [](Random&, plain::Distance& d) { d.measure = plain::Measure::chebyshev; return Chebyshev{}; },
    [](Random&, plain::Distance& d) { d.measure = plain::Measure::cosine; return Cosine{}; },
    [](Random& r, plain::Distance& d) { d.measure = plain::Measure::constant; return Constant{d.sigma = r.uniform(0, 1)}; },
    [](Random&, plain::Distance& d) { d.measure = plain::Measure::projection; return Projection{}; },
    [](Random&, plain::Distance& d) { d.measure = plain::Measure::similarity; return Similarity{}; }};

// Distances that are no reference with a measure; the first is none.
inline constexpr std::tuple other_distances{
    [](Random&, plain::Distance&) { return NoDistance{}; },
    [](Random& r, plain::Distance& d) {
        d.reference = plain::Reference::first_gradient;
        d.along_average = true;
        AlongAverage const along{r.uniform(0.1, 1)};
        d.lambda = 1 - along.theta;
        return along;
    }};

// The first reads no clean gradient, all others do.
inline constexpr std::tuple mixes{
    [](Random&, plain::Mix&) { return NoMix{}; },
    [](Random& r, plain::Mix& m) { m.kind = plain::Mixture::same_batch; return SameBatch{m.alpha = r.uniform(0, 1), m.normalise_clean = r.coin()}; },
    [](Random& r, plain::Mix& m) { m.kind = plain::Mixture::surrogate_gap; return SurrogateGap{m.alpha = r.uniform(0, 1)}; },
    [](Random& r, plain::Mix& m) { m.kind = plain::Mixture::weighted_sharpness; return WeightedSharpness{m.gamma = r.uniform(0, 0.8)}; },
    [](Random& r, plain::Mix& m) { m.kind = plain::Mixture::decoupled_sharpness; return DecoupledSharpness{m.gamma = r.uniform(0, 0.8)}; }};
// clang-format on

inline constexpr auto learning_rate = [](Random& r, plain::Base& b) {
    return b.learning_rate = r.log_uniform(0.003, 0.1);
};
inline constexpr auto weight_decay = [](Random& r, plain::Base& b) {
    return b.weight_decay = r.coin() ? 0 : r.uniform(0, 0.1);
};
template <class BaseOpt>
inline constexpr auto adam = [](Random& r, plain::Base& b) {
    b.rule = std::is_same_v<BaseOpt, AdamW> ? plain::Rule::adamw : plain::Rule::adam;
    return BaseOpt{.learning_rate = learning_rate(r, b),
                   .beta1 = b.beta1 = r.uniform(0, 0.95),
                   .beta2 = b.beta2 = r.uniform(0.5, 0.999),
                   .eps = b.eps = r.log_uniform(1e-8, 1e-3),
                   .weight_decay = weight_decay(r, b),
                   .amsgrad = b.amsgrad = r.coin(),
                   .maximize = b.maximize = r.coin()};
};
inline constexpr std::tuple bases{
    [](Random& r, plain::Base& b) {
        b.rule = plain::Rule::sgd;
        b.momentum = r.coin() ? 0 : r.uniform(0.1, 0.95);
        b.nesterov = b.momentum > 0 && r.coin();
        b.dampening = b.nesterov ? 0 : r.uniform(0, 1);
        return SGD{.learning_rate = learning_rate(r, b),
                   .momentum = b.momentum,
                   .dampening = b.dampening,
                   .weight_decay = weight_decay(r, b),
                   .nesterov = b.nesterov,
                   .maximize = b.maximize = r.coin()};
    },
    adam<Adam>,
    adam<AdamW>,
    [](Random& r, plain::Base& b) {
        b.rule = plain::Rule::rmsprop;
        return RMSprop{.learning_rate = learning_rate(r, b),
                       .alpha = b.alpha = r.uniform(0.5, 0.99),
                       .eps = b.eps = r.log_uniform(1e-8, 1e-3),
                       .weight_decay = weight_decay(r, b),
                       .momentum = b.momentum = r.coin() ? 0 : r.uniform(0.1, 0.9),
                       .centered = b.centered = r.coin(),
                       .maximize = b.maximize = r.coin()};
    },
    [](Random& r, plain::Base& b) {
        b.rule = plain::Rule::adagrad;
        return Adagrad{.learning_rate = learning_rate(r, b),
                       .learning_rate_decay = b.learning_rate_decay = r.uniform(0, 0.5),
                       .weight_decay = weight_decay(r, b),
                       .initial_accumulator_value = b.initial_accumulator_value = r.uniform(0, 0.1),
                       .eps = b.eps = 1e-10,
                       .maximize = b.maximize = r.coin()};
    },
    [](Random& r, plain::Base& b) {
        b.rule = plain::Rule::lion;
        return Lion{.learning_rate = learning_rate(r, b),
                    .beta1 = b.beta1 = r.uniform(0, 0.95),
                    .beta2 = b.beta2 = r.uniform(0.5, 0.999),
                    .weight_decay = weight_decay(r, b),
                    .maximize = b.maximize = r.coin()};
    },
    [](Random& r, plain::Base& b) {
        b.rule = plain::Rule::lamb;
        return LAMB{.learning_rate = learning_rate(r, b),
                    .beta1 = b.beta1 = r.uniform(0, 0.95),
                    .beta2 = b.beta2 = r.uniform(0.5, 0.999),
                    .eps = b.eps = r.log_uniform(1e-8, 1e-3),
                    .weight_decay = weight_decay(r, b),
                    .maximize = b.maximize = r.coin()};
    }};

// ---- The table ----------------------------------------------------------------------------------------------------

template <class List>
inline constexpr std::size_t size = std::tuple_size_v<std::remove_cvref_t<List>>;

// Around a ball: nothing, one of the layers, or one around another, whether that fits or not.
inline constexpr std::size_t leaving_count = size<decltype(leaving_out)>,
                             layer_count = leaving_count + size<decltype(other_ways)>,
                             nesting_count = 1 + layer_count + layer_count * layer_count;

inline constexpr std::size_t perturbation_count = 1 + size<decltype(balls)> * nesting_count;
inline constexpr std::size_t distance_count =
    size<decltype(other_distances)> + size<decltype(references)> * size<decltype(measures)>;
// Each mix, with a second batch around it, and with two of these.
inline constexpr std::size_t mix_count = 3 * size<decltype(mixes)>;
inline constexpr std::size_t base_count = size<decltype(bases)>;

template <std::size_t layer, class Ball>
auto with_layer(Ball ball, Random& r, plain::Perturb& p) {
    if constexpr (layer < leaving_count) {
        return std::get<layer>(leaving_out)(ball, r, p);
    } else {
        return std::get<layer - leaving_count>(other_ways)(ball, r, p);
    }
}
/// Perturbation number k: none, or a ball with what is around it.
template <std::size_t k>
auto make_perturbation(Random& r, plain::Perturb& p) {
    if constexpr (k == 0) {
        return NoPerturbation{};
    } else {
        constexpr std::size_t nesting = (k - 1) % nesting_count;
        auto const ball = std::get<(k - 1) / nesting_count>(balls)(r, p);
        if constexpr (nesting == 0) {
            return ball;
        } else if constexpr (nesting <= layer_count) {
            return with_layer<nesting - 1>(ball, r, p);
        } else {
            constexpr std::size_t pair = nesting - 1 - layer_count;
            return with_layer<pair / layer_count>(with_layer<pair % layer_count>(ball, r, p), r, p);
        }
    }
}
template <std::size_t k>
auto make_distance(Random& r, plain::Distance& d) {
    constexpr std::size_t others = size<decltype(other_distances)>;
    if constexpr (k < others) {
        return std::get<k>(other_distances)(r, d);
    } else {
        constexpr std::size_t n = size<decltype(measures)>;
        auto const reference = std::get<(k - others) / n>(references)(r, d);
        auto const measure = std::get<(k - others) % n>(measures)(r, d);
        return DistanceTo<std::remove_const_t<decltype(reference)>,
                          std::remove_const_t<decltype(measure)>>{reference, measure,
                                                                  d.scale = r.uniform(0.2, 1.5)};
    }
}
template <std::size_t k>
auto make_mix(Random& r, plain::Mix& m) {
    constexpr std::size_t n = size<decltype(mixes)>;
    if constexpr (k < n) {
        return std::get<k>(mixes)(r, m);
    } else {
        auto const mix = make_mix<k - n>(r, m);
        m.kappa = r.uniform(0, 1);
        return Plus<std::remove_const_t<decltype(mix)>>{*m.kappa, mix};
    }
}
template <std::size_t k>
auto make_base(Random& r, plain::Base& b) {
    return std::get<k>(bases)(r, b);
}

template <std::size_t k>
using PerturbationAt =
    decltype(make_perturbation<k>(std::declval<Random&>(), std::declval<plain::Perturb&>()));
template <std::size_t k>
using DistanceAt =
    decltype(make_distance<k>(std::declval<Random&>(), std::declval<plain::Distance&>()));
template <std::size_t k>
using MixAt = decltype(make_mix<k>(std::declval<Random&>(), std::declval<plain::Mix&>()));
template <std::size_t k>
using BaseAt = decltype(make_base<k>(std::declval<Random&>(), std::declval<plain::Base&>()));

/// What docs and headers say fits together, said once more without the library: `composable` must say the same.
constexpr bool fits(std::size_t perturbation, std::size_t distance, std::size_t mix) {
    constexpr std::size_t n = size<decltype(mixes)>;
    if (mix >= 2 * n) return false;  // a third batch
    if (perturbation == 0) return distance == 0 && mix % n == 0;
    std::size_t const nesting = (perturbation - 1) % nesting_count;
    std::size_t outer = nesting - 1;
    if (nesting == 0) return true;
    if (nesting > layer_count) {
        std::size_t const pair = nesting - 1 - layer_count;
        outer = pair / layer_count;
        if (outer < leaving_count || pair % layer_count >= leaving_count) return false;
    }
    // Where several ascents go no average is kept.
    return distance == 0 || outer != leaving_count + several_ascents;
}

}  // namespace polder::test::table
