/// How the mask of SSAM-D changes.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include <polder/engine/cpu.hpp>
#include <polder/perturb/masked.hpp>

namespace polder::detail {

// next = the coordinates of `mask` that are kept in epoch e, and those that grow outside it, by the scores
// drop(coordinate, i-th values of the arrays...) and growth(the same), both >= 0. See DynamicMask.
template <class Drop, class Growth, class... Arrays>
void drop_and_grow(CpuEngine& engine, DynamicMask const& policy, std::uint64_t epoch,
                   Flat<std::uint8_t> mask, Flat<std::uint8_t> next, Drop const& drop,
                   Growth const& growth, Arrays... arrays) {
    const std::size_t size = engine.layout().size();
    engine.map([](std::uint8_t& m) { m = 0; }, next);
    engine.choose_largest(
        policy.kept(size, epoch),
        [&](std::size_t i, std::uint8_t m, auto... at) -> double {
            return m != 0 ? drop(i, at...) : -1.0;
        },
        next, mask, arrays...);
    engine.choose_largest(
        policy.grown(size, epoch),
        [&](std::size_t i, std::uint8_t m, auto... at) -> double {
            return m == 0 ? growth(i, at...) : -1.0;
        },
        next, mask, arrays...);
}

// As the policy says, at the perturbed point and with the gradient at x.
template <class T>
void change_mask(CpuEngine& engine, DynamicMask const& policy, std::uint64_t epoch,
                 Flat<std::uint8_t> mask, Flat<std::uint8_t> next, Blocked<T> point,
                 Blocked<T> gradient) {
    const auto score = [&](Score by, std::uint64_t draw) {
        return [&policy, by, draw](std::size_t i, T at, T g) -> double {
            if (by == Score::random) return policy.random_score(i, draw);
            return std::abs(static_cast<double>(by == Score::weight ? at : g));
        };
    };
    // Drop and growth draw other numbers, and so does every epoch.
    drop_and_grow(engine, policy, epoch, mask, next, score(policy.drop, 2 * epoch + 1),
                  score(policy.growth, 2 * epoch + 2), point, gradient);
}

}  // namespace polder::detail
