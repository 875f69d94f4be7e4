/// The loops over coordinates on the CPU, over one contiguous piece of a block.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
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
// How many coordinates the inner loops go through at a time. GCC 12 vectorises with -O2 only loops with a known count.
inline constexpr std::size_t strip = 64;

// Calls f at all coordinates of a piece: at packs of them, if f takes packs, and at those that are left. first_of(V{}) is the
// first column for values V. (By value, so that compilers know that no store changes the columns or f.)
template <class T, class F, class First, class... Columns>
POLDER_INLINE void call_along(std::size_t length, F const f, First const first_of,
                              Columns const... columns) {
    std::size_t i = 0;
    if constexpr (takes_packs<F> && packed<T> != 1) {
        for (; i + packed<T> <= length; i += packed<T>) {
            call_at<Pack<T>>(f, i, first_of(Pack<T>{}), columns...);
        }
    } else {
        for (; i + strip <= length; i += strip) {
            POLDER_INDEPENDENT
            for (std::size_t k = 0; k < strip; ++k) {
                call_at<T>(f, i + k, first_of(T{}), columns...);
            }
        }
    }
    POLDER_INDEPENDENT
    for (; i < length; ++i) call_at<T>(f, i, first_of(T{}), columns...);
}

template <class T, class F, class X, class... Columns>
POLDER_LOOP void sweep(std::size_t length, F const& f, X const& x, Columns const&... columns) {
    call_along<T>(
        length, f, [x](auto) POLDER_INLINE_LAMBDA { return x; }, columns...);
}

// As sweep, for a run of parameters, which is the first column. If `restores`, those whose new value is not finite get the old
// one back. Returns whether there is none.
inline constexpr std::size_t longest_run = 1024;
template <class T, class F, class X, class... Columns>
POLDER_LOOP bool sweep_parameters(bool restores, std::size_t length, F const& f, X const& x,
                                  Columns const&... columns) {
    T before[longest_run];
    Bits<T> any = 0;
    Bits<Pack<T>> of_packs{};
    T* const saved = before;
    auto const along = [&](auto const& function) POLDER_INLINE_LAMBDA {
        call_along<T>(
            length, function,
            [&, x, saved]<class V>(V) POLDER_INLINE_LAMBDA {
                if constexpr (std::is_same_v<V, T>)
                    return Saved<X, V>{x, saved, any};
                else
                    return Saved<X, V>{x, saved, of_packs};
            },
            columns...);
    };
    if constexpr (requires { f.plain(); }) {
        if (f.is_plain())
            along(f.plain());
        else
            along(f);
    } else {
        along(f);
    }
    if (!restores || (!highest_bit(any) && !highest_bit(of_packs))) return true;
    for (std::size_t i = 0; i < length; ++i) {
        if (highest_bit(not_finite(x.at[i]))) x.at[i] = before[i];
    }
    return false;
}

template <class T>
POLDER_LOOP bool finite_piece(std::size_t length, T const* array) {
    Bits<T> any = 0;
    std::size_t i = 0;
    for (; i + strip <= length; i += strip) {
        for (std::size_t k = 0; k < strip; ++k) any |= not_finite(array[i + k]);
    }
    for (; i < length; ++i) any |= not_finite(array[i]);
    return !highest_bit(any);
}
POLDER_PASS_WARNINGS

// The mean of `count` numbers, `stride` apart. In several sums, since each addition waits for the one before.
template <class T>
double mean_of(T const* numbers, std::size_t count, std::size_t stride) {
    std::array<double, lanes> sums{};
    std::size_t k = 0;
    for (; k + lanes <= count; k += lanes) {
        for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] += numbers[(k + lane) * stride];
    }
    for (; k < count; ++k) sums[0] += numbers[k * stride];
    return std::accumulate(sums.begin(), sums.end(), 0.0) / static_cast<double>(count);
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
        each([&]<std::size_t k, class Fold>() POLDER_INLINE_LAMBDA {
            double value = 0;
            for (double lane : total[k]) value = Fold::fold(value, lane);
            sums[k] = Fold::fold(sums[k], value);
        });
        return sums;
    }
    static void add(Sums& sums, double const* more) {
        each([&]<std::size_t k, class Fold>()
                 POLDER_INLINE_LAMBDA { sums[k] = Fold::fold(sums[k], more[k]); });
    }

private:
    using Lane = Pack<double>;  // `width` lanes
    static constexpr std::size_t width = packed<double>;

    static void add_one(Lanes& total, std::size_t to, std::tuple<Folds...> const& terms) {
        each([&]<std::size_t k, class Fold>() POLDER_INLINE_LAMBDA {
            total[k][to] = Fold::fold(total[k][to], std::get<k>(terms).value);
        });
    }

    POLDER_NO_PASS_WARNINGS
    // First the terms are written to an array that nothing else refers to, then they are added up. Otherwise GCC 12 does
    // not keep four or more sums in vector registers.
    template <class T, class F, class... Columns>
    POLDER_LOOP static void add_groups(Lanes& total, std::size_t first, std::size_t groups,
                                       F const f, Columns const... columns) {
        Lane sums[count][lanes / width];
        each([&]<std::size_t k, class Fold>() POLDER_INLINE_LAMBDA {
            each_lane([&](std::size_t j) POLDER_INLINE_LAMBDA {
                sums[k][j] = value_at<Lane>(&total[k][j * width]);
            });
        });
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
                each([&]<std::size_t k, class Fold>() POLDER_INLINE_LAMBDA {
                    each_lane([&](std::size_t j) POLDER_INLINE_LAMBDA {
                        sums[k][j] =
                            Fold::fold(sums[k][j], value_at<Lane>(&values[k][i + j * width]));
                    });
                });
            }
        }
        each([&]<std::size_t k, class Fold>() POLDER_INLINE_LAMBDA {
            each_lane([&](std::size_t j)
                          POLDER_INLINE_LAMBDA { set_at(&total[k][j * width], sums[k][j]); });
        });
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
    POLDER_INLINE static void each_lane(F const& f) {
        [&]<std::size_t... j>(std::index_sequence<j...>) POLDER_INLINE_LAMBDA { (f(j), ...); }
        (std::make_index_sequence<lanes / width>{});
    }
    template <class F>
    POLDER_INLINE static void each(F const& f) {
        [&]<std::size_t... k>(std::index_sequence<k...>) POLDER_INLINE_LAMBDA {
            (f.template operator()<k, Folds>(), ...);
        }
        (std::make_index_sequence<count>{});
    }
};

}  // namespace polder::detail
