/// A ball of which only some coordinates move: sparse SAM.
///
/// A coordinate moves if it is 1 in the mask M, which has one byte per coordinate:
///   FixedMask    the mask is the one given to Optimizer::set_mask; before that it is 1 everywhere
///   FisherMask   1 where the squared gradients of single samples are largest; chosen again every few epochs (SSAM-F)
///   DynamicMask  every few epochs some coordinates are dropped and others are added (SSAM-D)
/// Call Settings::begin_epoch at the start of each epoch; without it all steps belong to one epoch.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/perturb/move.hpp>
#include <polder/perturb/samples.hpp>
#include <polder/policy_name.hpp>

namespace polder {

namespace detail {

// Scores of coordinates, by which a mask is chosen: score(coordinate, values...).
template <bool inside, class Score>
struct ScoreWhere {  // of the coordinates inside the mask, or outside; the others are never chosen
    Score score;
    template <class V, class... Read>
    POLDER_HOST_DEVICE double operator()(std::size_t i, V mask, Read... reads) const {
        return (mask != 0) == inside ? static_cast<double>(score(i, reads...)) : -1.0;
    }
};
struct OwnScore {
    template <class V>
    POLDER_HOST_DEVICE V operator()(std::size_t, V score) const {
        return score;
    }
};

}  // namespace detail

/// The score by which a dynamic mask drops or adds coordinates.
enum class Score {
    weight,    ///< |x + eps|
    gradient,  ///< |g|
    random
};

namespace detail {

// A pseudo-random number in [0, 1), a function of the seed, the coordinate and the number of the draw.
POLDER_HOST_DEVICE inline double drawn(std::uint64_t seed, std::size_t coordinate,
                                       std::uint64_t draw) {
    std::uint64_t bits = seed ^ (draw + 1) * 0x9e3779b97f4a7c15u;
    for (std::uint64_t word : {std::uint64_t{coordinate}, std::uint64_t{0}}) {
        bits = (bits ^ word ^ bits >> 30) * 0xbf58476d1ce4e5b9u;
        bits = (bits ^ bits >> 27) * 0x94d049bb133111ebu;
        bits ^= bits >> 31;
    }
    return static_cast<double>(bits >> 11) * 0x1p-53;
}

// The score of a coordinate: by its value at the perturbed point, by the gradient at x, or a number drawn.
struct ScoreBy {
    std::uint64_t seed;
    Score by;
    std::uint64_t draw;
    POLDER_HOST_DEVICE double operator()(std::size_t i) const { return drawn(seed, i, draw); }
    template <class V>
    POLDER_HOST_DEVICE double operator()(std::size_t i, V at, V g) const {
        if (by == Score::random) return drawn(seed, i, draw);
        return std::abs(static_cast<double>(by == Score::weight ? at : g));
    }
};

}  // namespace detail

/// The user sets the mask (Optimizer::set_mask). Before that all coordinates move.
struct FixedMask {
    static constexpr std::string_view name = "FixedMask";
    void validate() const {}

    struct State {
        MaskSuccession mask;
    };
    State init(Plan& plan) const { return {plan.mask("mask", false)}; }
    template <class R>
    void start(R&, State const&) const {}
    template <class R>
    MaskId current(R&, State const& state) const {
        return state.mask.now;
    }
    template <class R>
    void after(R&, State const&, PointId, Gradient const&) const {}
};

/// M is 1 at the floor(n (1 - sparsity)) coordinates with the largest score. The score is the sum of the squared gradients
/// of `samples` single samples. At first M is 0, so the first step is one of the base optimizer. M is chosen again in the
/// step after the first one of every refresh_epochs-th epoch, with one evaluation for each sample (Pass::sample), which come
/// before all others.
/// Mi et al. 2022 (SSAM-F); Mi-Peng/Sparse-Sharpness-Aware-Minimization.
struct FisherMask {
    double sparsity = 0.2;             ///< share of coordinates that stay, in [0, 1]
    int samples = 16;                  ///< >= 1
    std::uint64_t refresh_epochs = 5;  ///< epochs from one choice to the next, >= 1

    static constexpr std::string_view name = "FisherMask";
    static constexpr bool samples_batch = true;
    void validate() const {
        require_fraction("sparsity", sparsity);
        if (samples < 1) detail::refuse("samples", samples, "a number >= 1");
        if (refresh_epochs < 1) detail::refuse("refresh_epochs", 0, "a number >= 1");
    }

    /// How many of n coordinates move.
    std::size_t live(std::size_t n) const {
        return static_cast<std::size_t>(static_cast<double>(n) * (1 - sparsity));
    }

    struct State {
        MaskSuccession mask;
        ArrayId scores;
        CounterId due;  // 1: the next step of the method chooses the mask again
    };
    State init(Plan& plan) const {
        return {plan.mask("mask", true), plan.scratch(), plan.counter("mask_due")};
    }
    template <class R>
    void start(R& run, State const& state) const {
        run.clear(state.mask.now);
    }
    template <class R>
    MaskId current(R& run, State const& state) const {
        bool const due = run.get(state.due) != 0;
        run.set(state.due, run.batch() == 0 && run.epoch() % refresh_epochs == 0 ? 1 : 0);
        if (!due) return state.mask.now;
        detail::add_up_samples(run, samples, 1, state.scores);
        MaskId const next = run.next(state.mask);
        run.clear(next);
        run.choose_largest(live(run.size()), detail::OwnScore{}, next, state.scores);
        return next;
    }
    template <class R>
    void after(R&, State const&, PointId, Gradient const&) const {}
};

/// At first M is 1 at n - ceil(n sparsity) coordinates chosen at random. It changes after the first step of every
/// refresh_epochs-th epoch e. With live = n (1 - sparsity) and
///     p = drop_rate (1 + cos(pi (e - first_epoch) / (last_epoch - first_epoch))) / 2,
/// the int(live (1 - p)) coordinates of M with the largest `drop` score stay in M, and the int(min(live p, n sparsity))
/// coordinates outside M with the largest `growth` score join it. Of equal scores the lower coordinate is chosen. Both
/// counts are rounded down, so M may lose a coordinate.
/// Mi et al. 2022 (SSAM-D); Mi-Peng/Sparse-Sharpness-Aware-Minimization.
struct DynamicMask {
    double sparsity = 0.2;             ///< share of coordinates that stay, in [0, 1]
    double drop_rate = 0.5;            ///< of the first epoch, in [0, 1]
    Score drop = Score::gradient;      ///< coordinates of the mask with low scores leave it
    Score growth = Score::random;      ///< coordinates with high scores join it
    std::uint64_t refresh_epochs = 5;  ///< epochs between changes, >= 1
    std::uint64_t first_epoch = 0;     ///< where the cosine starts
    std::uint64_t last_epoch = 200;    ///< where it ends; > first_epoch
    std::uint64_t seed = 0;            ///< of the first mask and of random scores

    static constexpr std::string_view name = "DynamicMask";
    void validate() const {
        require_fraction("sparsity", sparsity);
        require_fraction("drop_rate", drop_rate);
        if (refresh_epochs < 1) detail::refuse("refresh_epochs", 0, "a number >= 1");
        if (last_epoch <= first_epoch) {
            detail::refuse("last_epoch", static_cast<double>(last_epoch), "a number > first_epoch");
        }
    }

    /// How many of n coordinates move at first.
    std::size_t first_live(std::size_t n) const {
        auto const count = static_cast<double>(n);
        return n - static_cast<std::size_t>(std::ceil(count * sparsity));
    }

    /// p in epoch e. It is drop_rate before first_epoch, and 0 after last_epoch.
    double rate(std::uint64_t epoch) const {
        double const since = static_cast<double>(std::max(epoch, first_epoch) - first_epoch);
        double const share = std::min(since / static_cast<double>(last_epoch - first_epoch), 1.0);
        return drop_rate * (1 + std::cos(std::numbers::pi * share)) / 2;
    }

    /// How many of n coordinates stay in the mask, and how many join it, in epoch e.
    std::size_t kept(std::size_t n, std::uint64_t epoch) const {
        return static_cast<std::size_t>(live(n) * (1 - rate(epoch)));
    }
    std::size_t grown(std::size_t n, std::uint64_t epoch) const {
        return static_cast<std::size_t>(
            std::min(live(n) * rate(epoch), static_cast<double>(n) * sparsity));
    }

    /// A number in [0, 1) for a coordinate in the refresh number `draw` (0: the first mask).
    POLDER_HOST_DEVICE double random_score(std::size_t coordinate, std::uint64_t draw) const {
        return detail::drawn(seed, coordinate, draw);
    }

    struct State {
        MaskSuccession mask;
    };
    State init(Plan& plan) const { return {plan.mask("mask", true)}; }
    template <class R>
    void start(R& run, State const& state) const {
        run.clear(state.mask.now);
        run.choose_largest(first_live(run.size()), detail::ScoreBy{seed, Score::random, 0},
                           state.mask.now);
    }
    template <class R>
    MaskId current(R&, State const& state) const {
        return state.mask.now;
    }
    template <class R>
    void after(R& run, State const& state, PointId y, Gradient const& g) const {
        std::uint64_t const e = run.epoch();
        if (run.batch() != 0 || e % refresh_epochs != 0) return;
        MaskId const next = run.next(state.mask);
        run.clear(next);
        // Drop and growth draw other numbers, and so does every epoch.
        detail::ScoreBy const dropped{seed, drop, 2 * e + 1}, grows{seed, growth, 2 * e + 2};
        run.choose_largest(kept(run.size(), e), detail::ScoreWhere<true, detail::ScoreBy>{dropped},
                           next, state.mask.now, y, g);
        run.choose_largest(grown(run.size(), e), detail::ScoreWhere<false, detail::ScoreBy>{grows},
                           next, state.mask.now, y, g);
    }

private:
    double live(std::size_t n) const {
        auto const count = static_cast<double>(n);
        return count - count * sparsity;
    }
};

/// eps = M o eps_Ball. The norm in eps_Ball is that of the whole direction, so ||eps|| <= rho.
/// Mi et al. 2022 (SSAM), Algorithm 1.
template <class Ball, class MaskPolicy>
struct Masked : Ball {
    MaskPolicy mask{};

    static std::string name() {
        return "Masked<" + policy_name<Ball>() + ", " + policy_name<MaskPolicy>() + ">";
    }
    void validate() const {
        Ball::validate();
        mask.validate();
    }
    using Inner = Ball;
    static constexpr int layer = 1;  // around a ball alone: see detail::layers_fit
    static constexpr bool has_conditions = true;
    /// Of single samples of the batch, for the mask or for the ball?
    static constexpr bool samples = requires { requires MaskPolicy::samples_batch; }
    || requires { requires Ball::samples; };

    struct State {
        typename MaskPolicy::State mask;
        detail::StateOf<Ball> ball;
    };
    State init(Plan& plan) const { return {mask.init(plan), detail::init_of(ball(), plan)}; }
    /// The mask in use.
    MaskSuccession const& array(State const& state) const { return state.mask.mask; }

    template <class R>
    void start(R& run, State const& state) const {
        mask.start(run, state.mask);
    }
    template <class R>
    auto before(R& run, State const& state) const {
        auto const current = mask.current(run, state.mask);
        return std::pair{current, detail::before_of(run, ball(), state.ball)};
    }
    template <class R, class Before>
    auto reads(R& run, State const& state, Before const& before, ArrayId x,
               Gradient const& g) const {
        return std::tuple_cat(std::tuple{before.first},
                              detail::reads_of(run, ball(), state.ball, before.second, x, g));
    }
    template <class R, class Before>
    void after(R& run, State const& state, Before const&, PointId y, Gradient const& g) const {
        if (!run.eps_alone()) mask.after(run, state.mask, y, g);
    }

    template <class V, class... Read>
    POLDER_INLINE static V filter(V eps, V mask, Read...) {
        return eps * V(mask != 0);  // no branch, so that it is vectorised
    }
    template <class T>
    POLDER_HOST_DEVICE auto weights(bool adaptive) const requires detail::is_weighted<Ball> {
        auto const own = Ball::template weights<T>(adaptive);
        return detail::WithoutFirst<std::remove_const_t<decltype(own)>>{own};
    }

private:
    Ball const& ball() const { return *this; }
};
template <class Ball, class MaskPolicy>
Masked(Ball, MaskPolicy) -> Masked<Ball, MaskPolicy>;

}  // namespace polder
