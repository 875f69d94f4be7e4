/// The loops over coordinates on the CPU, over one contiguous piece of a block.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <tuple>
#include <type_traits>
#include <utility>

#include <polder/config.hpp>
#include <polder/engine/column.hpp>
#include <polder/engine/reduction.hpp>

namespace polder::detail {

// Coordinate i, counted through all blocks, is added to lane i % lanes. So the order of additions depends only on
// the number of coordinates. Eight doubles are one to four vector registers.
inline constexpr std::size_t lanes = 8;

POLDER_NO_PASS_WARNINGS
// Not inlined, so that each loop is compiled by itself and may use all registers.
template <class T, class F, class... Columns>
POLDER_NOINLINE void sweep(std::size_t length, F const f, Columns const... columns) {
    POLDER_INDEPENDENT
    for (std::size_t i = 0; i < length; ++i) call_at<T>(f, i, columns...);
}
POLDER_PASS_WARNINGS

// A value is finite unless all bits of its exponent are set. So the largest exponent is looked for, as an integer, because
// compilers vectorise a maximum of integers.
template <class T>
bool finite_piece(std::size_t length, T const* array) {
    using Bits = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
    constexpr Bits exponent = std::bit_cast<Bits>(std::numeric_limits<T>::infinity());
    Bits largest = 0;
    for (std::size_t i = 0; i < length; ++i) {
        Bits const bits = std::bit_cast<Bits>(array[i]) & exponent;
        largest = bits > largest ? bits : largest;
    }
    return largest != exponent;
}

// Sweeps a run of parameters x. Those whose new value is not finite get the old one back, unless that is not finite either.
// Returns whether there is none.
inline constexpr std::size_t longest_run = 1024;
template <class T, class F, class... Columns>
bool sweep_run(T* x, std::size_t length, F const& f, Columns const&... columns) {
    std::array<T, longest_run> before;
    std::copy_n(x, length, before.begin());
    sweep<T>(length, f, columns...);
    if (finite_piece(length, x)) return true;
    bool all = true;
    for (std::size_t i = 0; i < length; ++i) {
        if (finite_piece(1, x + i) || !finite_piece(1, &before[i])) continue;
        x[i] = before[i];
        all = false;
    }
    return all;
}

template <class T>
struct FoldOf : std::false_type {};

// The sums of a reduction whose function returns polder::Terms<Folds...>.
template <class... Folds>
struct FoldOf<std::tuple<Folds...>> : std::true_type {
    static constexpr std::size_t count = sizeof...(Folds);
    using Lanes = std::array<std::array<double, lanes>, count>;
    using Sums = std::array<double, count>;

    // Adds the terms of a piece, whose first coordinate goes to lane `lane`.
    template <class T, class F, class... Columns>
    static void add_piece(Lanes& total, std::size_t lane, std::size_t length, F const& f,
                          Columns const&... columns) {
        std::size_t i = 0;
        for (; lane != 0 && i < length; ++i, lane = (lane + 1) % lanes) {
            add_one(total, lane, call_at<T>(f, i, columns...));
        }
        std::size_t const groups = (length - i) / lanes;
        add_groups<T>(total, i, groups, f, columns...);
        i += groups * lanes;
        for (std::size_t to = 0; i < length; ++i, ++to) {
            add_one(total, to, call_at<T>(f, i, columns...));
        }
    }

    // Adds up the lanes, in order.
    static Sums fold(Lanes const& total) {
        Sums sums{};
        each([&]<std::size_t k, class Fold>() {
            double value = 0;
            for (double lane : total[k]) value = Fold::fold(value, lane);
            sums[k] = Fold::fold(sums[k], value);
        });
        return sums;
    }
    static void add(Sums& sums, double const* more) {
        each([&]<std::size_t k, class Fold>() { sums[k] = Fold::fold(sums[k], more[k]); });
    }

private:
    static void add_one(Lanes& total, std::size_t to, std::tuple<Folds...> const& terms) {
        each([&]<std::size_t k, class Fold>() {
            total[k][to] = Fold::fold(total[k][to], std::get<k>(terms).value);
        });
    }

    POLDER_NO_PASS_WARNINGS
    // First the terms are written to an array that nothing else refers to, then they are added up. Otherwise GCC 12 does
    // not keep four or more sums in vector registers.
    template <class T, class F, class... Columns>
    POLDER_NOINLINE static void add_groups(Lanes& total, std::size_t first, std::size_t groups,
                                           F const f, Columns const... columns) {
        double sums[count][lanes];
        for (std::size_t k = 0; k < count; ++k) std::copy_n(total[k].begin(), lanes, sums[k]);
        constexpr std::size_t run = run_of<F, Columns...>;
        double values[count][run];
        for (std::size_t begin = 0; begin < groups * lanes; begin += run) {
            std::size_t const length = run > lanes ? std::min(run, groups * lanes - begin) : run;
            POLDER_INDEPENDENT
            for (std::size_t i = 0; i < length; ++i) {
                store(std::make_index_sequence<count>{}, values, i,
                      call_at<T>(f, first + begin + i, columns...));
            }
            for (std::size_t i = 0; i < length; i += lanes) {
                each([&]<std::size_t k, class Fold>() {
                    for (std::size_t to = 0; to < lanes; ++to) {
                        sums[k][to] = Fold::fold(sums[k][to], values[k][i + to]);
                    }
                });
            }
        }
        for (std::size_t k = 0; k < count; ++k) std::copy_n(sums[k], lanes, total[k].begin());
    }
    POLDER_PASS_WARNINGS

    // How many terms go to the array at a time. GCC 12 unrolls a loop of `lanes` iterations before it vectorises it, and then
    // cannot prove that the writes do not change what is read later. It vectorises longer loops as they are.
    template <class F, class... Columns>
    static constexpr std::size_t run_of = has_conditions<F> || (Columns::writes || ...) ? 4 * lanes
                                                                                        : lanes;

    template <std::size_t... k, std::size_t run>
    POLDER_INLINE static void store(std::index_sequence<k...>, double (&values)[count][run],
                                    std::size_t i, std::tuple<Folds...> const& terms) {
        ((values[k][i] = std::get<k>(terms).value), ...);
    }

    template <class F>
    POLDER_INLINE static void each(F const& f) {
        [&]<std::size_t... k>(std::index_sequence<k...>) {
            (f.template operator()<k, Folds>(), ...);
        }
        (std::make_index_sequence<count>{});
    }
};

}  // namespace polder::detail
