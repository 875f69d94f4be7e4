/// The engine on the CPU: runs scalar functions over all coordinates, chunk by chunk, in threads.
///
/// This is the only place with loops over memory. A pass is a function of one coordinate and the
/// list of arrays it reads and writes; which pass does what is decided in sharpness.hpp.
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
#include <vector>

#include <polder/config.hpp>
#include <polder/engine/layout.hpp>
#include <polder/engine/parallel.hpp>
#include <polder/engine/reduction.hpp>

namespace polder {

namespace detail {

// Below this many chunks a pass is shorter than waking the other threads.
inline constexpr std::size_t chunks_worth_threads = 4;

// Coordinate i of the count goes to lane i % lanes, so that the order of additions in a lane is
// fixed by the count alone; eight doubles are one to four vector registers.
inline constexpr std::size_t lanes = 8;

// Not inlined, here and below: GCC 12 forgets the promise of POLDER_RESTRICT where it inlines.
template <class F, class... Ts>
POLDER_NOINLINE void map_piece(std::size_t length, F const f, Ts* POLDER_RESTRICT... arrays) {
    for (std::size_t i = 0; i < length; ++i) f(arrays[i]...);
}

// A value is finite unless all bits of its exponent are set; the largest exponent is found with integers,
// which compilers vectorise without a licence to reorder additions.
template <class T>
bool finite_piece(std::size_t length, T const* array) {
    using Bits = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
    constexpr Bits exponent = std::bit_cast<Bits>(std::numeric_limits<T>::infinity());
    Bits largest = 0;
    for (std::size_t i = 0; i < length; ++i) {
        const Bits bits = std::bit_cast<Bits>(array[i]) & exponent;
        largest = bits > largest ? bits : largest;
    }
    return largest != exponent;
}

template <class T>
struct TermsOf : std::false_type {};

template <class... Folds>
struct TermsOf<std::tuple<Folds...>> : std::true_type {
    static constexpr std::size_t count = sizeof...(Folds);
    using Lanes = std::array<std::array<double, lanes>, count>;
    using Values = std::array<double, count>;

    template <std::size_t... k, class F, class... Ts>
    static void fold_piece(std::index_sequence<k...>, Lanes& total, std::size_t lane,
                           std::size_t length, F const& f, Ts* POLDER_RESTRICT... arrays) {
        const auto add_one = [&](std::size_t i, std::size_t to) {
            const std::tuple<Folds...> terms = f(arrays[i]...);
            ((total[k][to] = Folds::fold(total[k][to], std::get<k>(terms).value)), ...);
        };
        std::size_t i = 0;
        for (; lane != 0 && i < length; ++i, lane = (lane + 1) % lanes) add_one(i, lane);
        const std::size_t groups = (length - i) / lanes;
        fold_groups(std::index_sequence<k...>{}, total, groups, f, (arrays + i)...);
        i += groups * lanes;
        for (std::size_t to = 0; i < length; ++i, ++to) add_one(i, to);
    }

    // Terms first, additions second, in an array that nothing else refers to: only so does GCC 12
    // keep four or more sums in vector registers.
    template <std::size_t... k, class F, class... Ts>
    POLDER_NOINLINE static void fold_groups(std::index_sequence<k...>, Lanes& total,
                                            std::size_t groups, F const f,
                                            Ts* POLDER_RESTRICT... arrays) {
        double sums[count][lanes];
        ((std::copy(total[k].begin(), total[k].end(), sums[k])), ...);
        for (std::size_t i = 0; i < groups * lanes; i += lanes) {
            double values[count][lanes];
            for (std::size_t to = 0; to < lanes; ++to) {
                const std::tuple<Folds...> terms = f(arrays[i + to]...);
                ((values[k][to] = std::get<k>(terms).value), ...);
            }
            (fold_lanes<Folds>(sums[k], values[k]), ...);
        }
        ((std::copy(sums[k], sums[k] + lanes, total[k].begin())), ...);
    }

    template <class Fold>
    static void fold_lanes(double (&sums)[lanes], double const (&values)[lanes]) {
        for (std::size_t to = 0; to < lanes; ++to) sums[to] = Fold::fold(sums[to], values[to]);
    }

    // Lanes, then chunks, each in order.
    static void fold_into(Values& total, Lanes const& sums) {
        fold_each([&]<std::size_t k, class Fold>() {
            double value = 0;
            for (double lane : sums[k]) value = Fold::fold(value, lane);
            total[k] = Fold::fold(total[k], value);
        });
    }
    static void fold_into(Values& total, double const* chunk) {
        fold_each([&]<std::size_t k, class Fold>() { total[k] = Fold::fold(total[k], chunk[k]); });
    }

    template <class F>
    static void fold_each(F const& f) {
        [&]<std::size_t... k>(std::index_sequence<k...>) {
            (f.template operator()<k, Folds>(), ...);
        }
        (std::make_index_sequence<count>{});
    }

    static std::tuple<Folds...> wrap(Values const& values) {
        return [&]<std::size_t... k>(std::index_sequence<k...>) {
            return std::tuple<Folds...>{Folds{values[k]}...};
        }
        (std::make_index_sequence<count>{});
    }
};

}  // namespace detail

/// Passes over the coordinates of a Layout. Arrays are Blocked or Flat; T const where only read. No
/// array of a pass may overlap another.
class CpuEngine {
public:
    /// The most terms of one reduction.
    static constexpr std::size_t max_terms = 16;

    CpuEngine() = default;
    explicit CpuEngine(Layout layout)
        : layout_(std::move(layout)), partial_(layout_.chunks() * max_terms) {}

    Layout const& layout() const noexcept { return layout_; }

    /// Threads for the passes that are long enough to profit.
    int threads = default_threads();

    /// f(array_1[i], ..., array_n[i]) for every coordinate i. The arguments are references.
    template <class F, class... Arrays>
    void map(F const& f, Arrays... arrays) {
        for_each_chunk([&](std::size_t chunk) {
            layout_.for_each_piece(
                chunk, [&](auto block, auto within, auto coordinate, auto length) {
                    detail::map_piece(length, f, arrays.locate(block, within, coordinate)...);
                });
        });
    }

    /// Folds the terms f(array_1[i], ..., array_n[i]) over all coordinates, in double and in an order
    /// that depends on N alone. f may also write to its arguments.
    template <class F, class... Arrays>
    auto reduce(F const& f, Arrays... arrays) {
        using TermsType = std::invoke_result_t<F const&, decltype(*arrays.locate(0, 0, 0))...>;
        using Fold = detail::TermsOf<TermsType>;
        static_assert(Fold::value,
                      "polder: the function of a reduction returns polder::Terms<...>");
        static_assert(Fold::count <= max_terms, "polder: a reduction has at most 16 terms");
        for_each_chunk([&](std::size_t chunk) {
            typename Fold::Lanes lanes{};
            layout_.for_each_piece(
                chunk, [&](auto block, auto within, auto coordinate, auto length) {
                    Fold::fold_piece(std::make_index_sequence<Fold::count>{}, lanes,
                                     coordinate % detail::lanes, length, f,
                                     arrays.locate(block, within, coordinate)...);
                });
            typename Fold::Values values{};
            Fold::fold_into(values, lanes);
            std::copy(values.begin(), values.end(), &partial_[chunk * max_terms]);
        });
        typename Fold::Values total{};
        for (std::size_t chunk = 0; chunk < layout_.chunks(); ++chunk) {
            Fold::fold_into(total, &partial_[chunk * max_terms]);
        }
        return Fold::wrap(total);
    }

    /// Whether all values of an array are finite.
    template <class Array>
    bool all_finite(Array array) {
        return all_chunks([&](std::size_t chunk) { return finite_chunk(chunk, array); });
    }

    /// map(f, watched, arrays...) in one pass with all_finite(watched): runs of at most 1,024 coordinates
    /// are checked and then mapped, while they are in the first-level cache, and left out where they
    /// are not finite.
    template <class F, class Watched, class... Arrays>
    bool map_where_finite(F const& f, Watched watched, Arrays... arrays) {
        constexpr std::size_t run = 1024;
        return all_chunks([&](std::size_t chunk) {
            bool all = true;
            layout_.for_each_piece(
                chunk, [&](auto block, auto within, auto coordinate, auto length) {
                    for (std::size_t done = 0; done < length; done += run) {
                        const std::size_t count = std::min(run, length - done);
                        const auto at = [&](auto array) {
                            return array.locate(block, within, coordinate) + done;
                        };
                        const bool finite = detail::finite_piece(count, at(watched));
                        if (finite) detail::map_piece(count, f, at(watched), at(arrays)...);
                        all &= finite;
                    }
                });
            return all;
        });
    }

private:
    template <class F, class... Arrays>
    void map_chunk(std::size_t chunk, F const& f, Arrays... arrays) const {
        layout_.for_each_piece(chunk, [&](auto block, auto within, auto coordinate, auto length) {
            detail::map_piece(length, f, arrays.locate(block, within, coordinate)...);
        });
    }

    template <class Array>
    bool finite_chunk(std::size_t chunk, Array array) const {
        bool finite = true;
        layout_.for_each_piece(chunk, [&](auto block, auto within, auto coordinate, auto length) {
            finite &= detail::finite_piece(length, array.locate(block, within, coordinate));
        });
        return finite;
    }

    template <class F>
    bool all_chunks(F const& holds) {
        for_each_chunk(
            [&](std::size_t chunk) { partial_[chunk * max_terms] = holds(chunk) ? 1 : 0; });
        bool all = true;
        for (std::size_t chunk = 0; chunk < layout_.chunks(); ++chunk) {
            all &= partial_[chunk * max_terms] != 0;
        }
        return all;
    }

    template <class F>
    void for_each_chunk(F const& f) {
        const std::size_t chunks = layout_.chunks();
        parallel_for(chunks, chunks < detail::chunks_worth_threads ? 1 : threads, f);
    }

    Layout layout_;
    std::vector<double> partial_;  // one row of terms per chunk
};

}  // namespace polder
