/// How the mask of SSAM-D changes.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include <polder/config.hpp>
#include <polder/engine/layout.hpp>
#include <polder/perturb/masked.hpp>

namespace polder::detail {

struct NoneChosen {
    POLDER_HOST_DEVICE void operator()(std::uint8_t& m) const { m = 0; }
};

// The score of what is in the mask, or of what is not; the others are never chosen.
template <bool inside, class Score>
struct ScoreWhere {
    Score score;
    template <class... At>
    POLDER_HOST_DEVICE double operator()(std::size_t i, std::uint8_t m, At... at) const {
        return (m != 0) == inside ? score(i, at...) : -1.0;
    }
};

// As a dynamic mask has it, of the point and the gradient.
struct ScoreBy {
    DynamicMask policy;
    Score by;
    std::uint64_t draw;
    template <class T>
    POLDER_HOST_DEVICE double operator()(std::size_t i, T at, T g) const {
        if (by == Score::random) return policy.random_score(i, draw);
        return std::abs(static_cast<double>(by == Score::weight ? at : g));
    }
};
struct RandomScore {
    DynamicMask policy;
    POLDER_HOST_DEVICE double operator()(std::size_t i) const { return policy.random_score(i, 0); }
};
struct OwnScore {
    template <class T>
    POLDER_HOST_DEVICE T operator()(std::size_t, T score) const {
        return score;
    }
};

// next = the coordinates of `mask` that are kept in epoch e, and those that grow outside it, by the scores
// drop(coordinate, i-th values of the arrays...) and growth(the same), both >= 0. See DynamicMask.
template <class Engine, class Mask, class Drop, class Growth, class... Arrays>
void drop_and_grow(Engine& engine, DynamicMask const& policy, std::uint64_t epoch, Mask mask,
                   Mask next, Drop const& drop, Growth const& growth, Arrays... arrays) {
    const std::size_t size = engine.layout().size();
    engine.map(NoneChosen{}, next);
    engine.choose_largest(policy.kept(size, epoch), ScoreWhere<true, Drop>{drop}, next, mask,
                          arrays...);
    engine.choose_largest(policy.grown(size, epoch), ScoreWhere<false, Growth>{growth}, next, mask,
                          arrays...);
}

// As the policy says, at the perturbed point and with the gradient at x.
template <class Engine, class Mask, class Point, class Gradient>
void change_mask(Engine& engine, DynamicMask const& policy, std::uint64_t epoch, Mask mask,
                 Mask next, Point point, Gradient gradient) {
    // Drop and growth draw other numbers, and so does every epoch.
    drop_and_grow(engine, policy, epoch, mask, next, ScoreBy{policy, policy.drop, 2 * epoch + 1},
                  ScoreBy{policy, policy.growth, 2 * epoch + 2}, point, gradient);
}

// next = the `count` coordinates with the largest scores.
template <class Engine, class Mask, class Score, class... Arrays>
void choose_mask(Engine& engine, std::size_t count, Mask next, Score const& score,
                 Arrays... arrays) {
    engine.map(NoneChosen{}, next);
    engine.choose_largest(count, score, next, arrays...);
}

}  // namespace polder::detail
