/// The engine on the CPU: runs scalar functions over all coordinates, chunk by chunk, in threads.
///
/// This is the only place with loops over memory. A pass is a function of one coordinate and the
/// list of arrays it reads and writes; which pass does what is decided in sharpness.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/blocks/block_shape.hpp>
#include <polder/blocks/memory_space.hpp>
#include <polder/closure/report.hpp>
#include <polder/config.hpp>
#include <polder/engine/host_memory.hpp>
#include <polder/engine/layout.hpp>
#include <polder/engine/parallel.hpp>
#include <polder/engine/per_block.hpp>
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

// The first of the first `watched` arrays that has a value that is not finite, or `watched`.
template <std::size_t watched, class... Ts>
std::size_t first_not_finite(std::size_t length, Ts const*... arrays) {
    std::size_t k = 0;
    static_cast<void>(((k < watched && finite_piece(length, arrays) ? (++k, true) : false) && ...));
    return k;
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
        if constexpr (has_conditions<F>) {
            constexpr std::size_t run = 32 * lanes;
            double values[count][run];
            for (std::size_t first = 0; first < groups * lanes; first += run) {
                const std::size_t length = std::min(run, groups * lanes - first);
                for (std::size_t i = 0; i < length; ++i) {
                    const std::tuple<Folds...> terms = f(arrays[first + i]...);
                    ((values[k][i] = std::get<k>(terms).value), ...);
                }
                for (std::size_t i = 0; i < length; i += lanes) {
                    (fold_lanes<Folds>(sums[k], values[k] + i), ...);
                }
            }
        } else {
            for (std::size_t i = 0; i < groups * lanes; i += lanes) {
                double values[count][lanes];
                for (std::size_t to = 0; to < lanes; ++to) {
                    const std::tuple<Folds...> terms = f(arrays[i + to]...);
                    ((values[k][to] = std::get<k>(terms).value), ...);
                }
                (fold_lanes<Folds>(sums[k], values[k]), ...);
            }
        }
        ((std::copy(sums[k], sums[k] + lanes, total[k].begin())), ...);
    }

    template <class Fold>
    static void fold_lanes(double (&sums)[lanes], double const* values) {
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

/// Passes over the coordinates of a Layout, but for those in frozen blocks. Arrays are Blocked or Flat; T
/// const where only read. No array of a pass may overlap another. A function f is the same for all
/// coordinates, or PerBlock.
///
/// A step asks an engine for nothing that needs its passes to have ended: what follows from a reduction is a
/// function of the sums, and functions of a coordinate are made where the passes run. Here that is at once.
class CpuEngine {
public:
    /// The most terms of one reduction.
    static constexpr std::size_t max_terms = 16;
    using Row = std::array<double, max_terms>;

    /// Whether what a pass has found can be read as soon as it was called.
    static constexpr bool immediate = true;
    /// What a step returns.
    using StepReport = Report;

    /// Where values, lists and arrays lie that passes read and write.
    template <class T>
    using Cell = detail::HostCell<T>;
    template <class T>
    using Table = detail::HostTable<T>;
    template <class T>
    using Array = detail::Array<T>;
    template <class T>
    using Succession = detail::HostSuccession<T>;

    CpuEngine() = default;
    explicit CpuEngine(Layout layout)
        : layout_(std::move(layout)), partial_(layout_.chunks() * max_terms) {}

    Layout const& layout() const noexcept { return layout_; }
    Layout& layout() noexcept { return layout_; }

    /// Threads for the passes that are long enough to profit.
    int threads = default_threads();
    void run_on(int wanted, void*) noexcept { threads = wanted; }

    /// The function make(0) for all coordinates, or make(index[block]) for those of a block, index[block] < count.
    /// Valid until the next call.
    template <class Make>
    auto everywhere(Make const& make) {
        return make(0);
    }
    template <class Make>
    auto per_block(Make const& make, std::size_t count, std::uint32_t const* index) {
        return functions_.fill(count, index, make);
    }
    /// Room for so many functions, so that later passes need no more memory than the first.
    void reserve(std::size_t functions) { functions_.reserve(functions); }

    /// The host has written to a Table.
    template <class T>
    void refresh(Table<T>&) {}

    /// Runs the passes in f if the flag, which a pass has written, is set.
    template <class F>
    void where(bool const* flag, F const& f) {
        if (*flag) f();
    }

    /// f(array_1[i], ..., array_n[i]) for every coordinate i. The arguments are references.
    template <class F, class... Arrays>
    void map(F const& f, Arrays... arrays) {
        for_each_chunk([&](std::size_t chunk) {
            layout_.for_each_piece(
                chunk, [&](auto block, auto within, auto coordinate, auto length) {
                    detail::map_piece(length, detail::FunctionOf<F>::in(f, block),
                                      arrays.locate(block, within, coordinate)...);
                });
        });
    }

    /// to = from.
    template <class From, class To>
    void copy(From from, To to) {
        map([]<class T>(T& a, T& b) { b = a; }, from, to);
    }

    /// to = from, in frozen blocks alone: what a pass that leaves them out owes to an array it fills.
    template <class From, class To>
    void carry(From from, To to) {
        if (!layout_.any_frozen()) return;
        for_each_chunk([&](std::size_t chunk) {
            layout_.template for_each_piece<true>(
                chunk, [&](auto block, auto within, auto coordinate, auto length) {
                    std::copy_n(from.locate(block, within, coordinate), length,
                                to.locate(block, within, coordinate));
                });
        });
    }

    /// to = 0, in frozen blocks alone.
    template <class To>
    void clear_frozen(To to) {
        if (!layout_.any_frozen()) return;
        for_each_chunk([&](std::size_t chunk) {
            layout_.template for_each_piece<true>(
                chunk, [&](auto block, auto within, auto coordinate, auto length) {
                    auto* first = to.locate(block, within, coordinate);
                    std::fill_n(first, length, std::remove_pointer_t<decltype(first)>{});
                });
        });
    }

    /// Folds the terms f(array_1[i], ..., array_n[i]) over all coordinates, in double and in an order
    /// that depends on N alone. f may also write to its arguments.
    template <class F, class... Arrays>
    auto reduce(F const& f, Arrays... arrays) {
        using Fold = fold_of<F, Arrays...>;
        for_each_chunk([&](std::size_t chunk) {
            typename Fold::Lanes lanes{};
            layout_.for_each_piece(
                chunk, [&](auto block, auto within, auto coordinate, auto length) {
                    fold_piece<Fold>(lanes, f, block, within, coordinate, length, arrays...);
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

    /// reduce(f, arrays...), and then finish(sums).
    template <class Finish, class F, class... Arrays>
    void reduce_then(Finish const& finish, F const& f, Arrays... arrays) {
        finish(reduce(f, arrays...));
    }

    /// As reduce, but over each block by itself: one row of max_terms numbers per block, of which as many
    /// as there are terms are set (to 0 in frozen blocks). Valid until the next call.
    template <class F, class... Arrays>
    std::span<Row const> reduce_blocks(F const& f, Arrays... arrays) {
        using Fold = fold_of<F, Arrays...>;
        // Counted along the coordinates, a new piece begins with a new chunk or with a new block.
        const std::size_t pieces = layout_.chunks() + layout_.blocks();
        block_partial_.resize(pieces);
        block_total_.resize(layout_.blocks());
        for_each_chunk([&](std::size_t chunk) {
            layout_.for_each_piece(
                chunk, [&](auto block, auto within, auto coordinate, auto length) {
                    typename Fold::Lanes lanes{};
                    fold_piece<Fold>(lanes, f, block, within, coordinate, length, arrays...);
                    typename Fold::Values values{};
                    Fold::fold_into(values, lanes);
                    std::copy(values.begin(), values.end(), block_partial_[chunk + block].begin());
                });
        });
        for (auto& total : block_total_) total.fill(0);
        for (std::size_t chunk = 0; chunk < layout_.chunks(); ++chunk) {
            layout_.for_each_piece(chunk, [&](auto block, auto, auto, auto) {
                typename Fold::Values total;
                auto& row = block_total_[block];
                std::copy_n(row.begin(), Fold::count, total.begin());
                Fold::fold_into(total, block_partial_[chunk + block].data());
                std::copy(total.begin(), total.end(), row.begin());
            });
        }
        return block_total_;
    }

    /// reduce_blocks(f, arrays...), and then finish(rows): a pointer to the first of the rows.
    template <class Finish, class F, class... Arrays>
    void reduce_blocks_then(Finish const& finish, F const& f, Arrays... arrays) {
        finish(reduce_blocks(f, arrays...).data());
    }
    Row const* rows() const noexcept { return block_total_.data(); }

    /// Sets `chosen` to 1 at the `count` coordinates with the largest score(coordinate, array_1[i], ...,
    /// array_n[i]) and leaves the others as they are. Among equal scores the lower coordinate wins; a
    /// negative score is never chosen, so that fewer may be found. Eight passes, no memory.
    template <class Score, class... Arrays>
    void choose_largest(std::size_t count, Score const& score, Flat<std::uint8_t> chosen,
                        Arrays... arrays) {
        // Doubles >= 0 are ordered as their bits; 0 stands for what may not be chosen.
        const auto key = [&score](std::size_t coordinate, auto const&... at) -> std::uint64_t {
            const double value = static_cast<double>(score(coordinate, at...));
            return value >= 0 ? std::bit_cast<std::uint64_t>(value + 0.0) + 1 : 0;
        };
        // The bits of the last key that is chosen, eight at a time from the top; `left` of those that
        // share the bits found so far are still to be chosen.
        std::uint64_t threshold = 0;
        std::uint64_t left = count;
        for (int shift = 56; shift >= 0; shift -= 8) {
            std::array<std::atomic<std::uint64_t>, 256> histogram{};
            const std::uint64_t known = shift == 56 ? 0 : ~std::uint64_t{0} << (shift + 8);
            for_each_key(
                key,
                [&](std::size_t, auto const& visit) {
                    std::array<std::uint32_t, 256> local{};
                    visit([&](std::size_t, std::uint64_t bits) {
                        if (bits != 0 && (bits & known) == threshold) ++local[bits >> shift & 255];
                    });
                    for (std::size_t digit = 0; digit < 256; ++digit) {
                        if (local[digit] != 0) histogram[digit] += local[digit];
                    }
                },
                arrays...);
            std::uint64_t digit = 255;
            while (digit > 0 && histogram[digit] < left) left -= histogram[digit--];
            threshold |= digit << shift;
        }
        if (threshold == 0) {  // all that may be chosen
            threshold = 1;
            left = layout_.size();
        }
        const auto share = [&](std::size_t chunk) -> double& {
            return partial_[chunk * max_terms];
        };
        for_each_key(
            key,
            [&](std::size_t chunk, auto const& visit) {
                std::uint64_t equal = 0;
                visit([&](std::size_t, std::uint64_t bits) { equal += bits == threshold; });
                share(chunk) = static_cast<double>(equal);
            },
            arrays...);
        auto ties = static_cast<double>(left);
        for (std::size_t chunk = 0; chunk < layout_.chunks(); ++chunk) {
            share(chunk) = std::min(share(chunk), ties);
            ties -= share(chunk);
        }
        for_each_key(
            key,
            [&](std::size_t chunk, auto const& visit) {
                visit([&](std::size_t coordinate, std::uint64_t bits) {
                    if (bits > threshold || (bits == threshold && share(chunk)-- > 0)) {
                        chosen.data[coordinate] = 1;
                    }
                });
            },
            arrays...);
    }

    /// Takes off each row of a matrix in `block` the mean of that row; rows x cols, cols > 1.
    template <class Array>
    void centralise_rows(Array array, std::size_t block, std::size_t rows, std::size_t cols,
                         bool row_major) {
        auto* first = array.locate(block, 0, 0);
        const std::size_t along = row_major ? 1 : rows;
        const std::size_t across = row_major ? cols : 1;
        const std::size_t worth = detail::chunks_worth_threads * Layout::chunk_size;
        parallel_for(rows, rows * cols < worth ? 1 : threads, [&](std::size_t row) {
            using T = std::remove_pointer_t<decltype(first)>;
            T* begin = first + row * across;
            double sum = 0;
            for (std::size_t col = 0; col < cols; ++col) sum += begin[col * along];
            const T mean = T(sum / static_cast<double>(cols));
            for (std::size_t col = 0; col < cols; ++col) begin[col * along] -= mean;
        });
    }

    /// The same in all blocks of more than one column that are not frozen.
    template <class Array>
    void centralise(Array array, std::vector<BlockShape> const& shapes) {
        for (std::size_t block = 0; block < shapes.size(); ++block) {
            auto const& shape = shapes[block];
            if (shape.cols < 2 || layout_.frozen(block)) continue;
            centralise_rows(array, block, shape.rows, shape.cols, shape.row_major);
        }
    }

    /// Whether all values of an array are finite.
    template <class Array>
    bool all_finite(Array array) {
        return all_chunks([&](std::size_t chunk) { return finite_chunk(chunk, array); });
    }

    /// finish(all_finite(array)).
    template <class Finish, class Array>
    void all_finite_then(Finish const& finish, Array array) {
        finish(all_finite(array));
    }

    /// Whether arrays of T are so large that nothing of them is in a cache when the next pass begins. Then a look at
    /// gradients in a pass of its own would be a read more from memory.
    template <class T>
    bool checks_in_runs() const noexcept {
        return layout_.size() * sizeof(T) > (std::size_t{8} << 20);
    }

    /// map(f, arrays...); with `look` in one pass with a look at the first `watched` of the arrays: runs of at most 128
    /// coordinates are checked and then mapped, while they are in the first-level cache, and left out where one of those
    /// arrays is not finite. The first such array, or `watched`.
    template <std::size_t watched, class F, class... Arrays>
    std::size_t map_where_finite(bool look, F const& f, Arrays... arrays) {
        const std::size_t run = look ? 128 : Layout::chunk_size;
        for_each_chunk([&](std::size_t chunk) {
            std::size_t first_bad = watched;
            layout_.for_each_piece(chunk, [&](auto block, auto within, auto coordinate,
                                              auto length) {
                for (std::size_t done = 0; done < length; done += run) {
                    const std::size_t count = std::min(run, length - done);
                    const auto at = [&](auto array) {
                        return array.locate(block, within, coordinate) + done;
                    };
                    const std::size_t bad =
                        look ? detail::first_not_finite<watched>(count, at(arrays)...) : watched;
                    if (bad == watched) {
                        detail::map_piece(count, detail::FunctionOf<F>::in(f, block),
                                          at(arrays)...);
                    }
                    first_bad = std::min(first_bad, bad);
                }
            });
            partial_[chunk * max_terms] = static_cast<double>(first_bad);
        });
        auto first_bad = static_cast<double>(watched);
        for (std::size_t chunk = 0; chunk < layout_.chunks(); ++chunk) {
            first_bad = std::min(first_bad, partial_[chunk * max_terms]);
        }
        return static_cast<std::size_t>(first_bad);
    }

    /// finish(map_where_finite<watched>(look, f, arrays...)).
    template <std::size_t watched, class Finish, class F, class... Arrays>
    void map_where_finite_then(bool look, Finish const& finish, F const& f, Arrays... arrays) {
        finish(map_where_finite<watched>(look, f, arrays...));
    }

    /// The pass that comes is the last one of a step.
    void last_pass() noexcept {}

private:
    template <class F, class... Arrays>
    struct FoldOf {
        using Function = typename detail::FunctionOf<F>::type;
        using TermsType =
            std::invoke_result_t<Function const&,
                                 decltype(*std::declval<Arrays>().locate(0, 0, 0))...>;
        using type = detail::TermsOf<TermsType>;
        static_assert(type::value,
                      "polder: the function of a reduction returns polder::Terms<...>");
        static_assert(type::count <= max_terms, "polder: a reduction has at most 16 terms");
    };
    template <class F, class... Arrays>
    using fold_of = typename FoldOf<F, Arrays...>::type;

    template <class Fold, class F, class... Arrays>
    static void fold_piece(typename Fold::Lanes& lanes, F const& f, std::size_t block,
                           std::size_t within, std::size_t coordinate, std::size_t length,
                           Arrays... arrays) {
        Fold::fold_piece(std::make_index_sequence<Fold::count>{}, lanes, coordinate % detail::lanes,
                         length, detail::FunctionOf<F>::in(f, block),
                         arrays.locate(block, within, coordinate)...);
    }

    // Calls f(chunk, visit) for every chunk; visit(g) calls g(coordinate, key) along the chunk.
    template <class Key, class F, class... Arrays>
    void for_each_key(Key const& key, F const& f, Arrays... arrays) {
        for_each_chunk([&](std::size_t chunk) {
            f(chunk, [&](auto const& g) {
                layout_.for_each_piece(chunk, [&]([[maybe_unused]] auto block,
                                                  [[maybe_unused]] auto within, auto coordinate,
                                                  auto length) {
                    for (std::size_t i = 0; i < length; ++i) {
                        g(coordinate + i,
                          key(coordinate + i, arrays.locate(block, within, coordinate)[i]...));
                    }
                });
            });
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
    std::vector<double> partial_;     // one row of terms per chunk
    std::vector<Row> block_partial_;  // of each piece, for reduce_blocks
    std::vector<Row> block_total_;
    detail::FunctionTable functions_;  // of the pass under way
};

/// The engine whose passes reach memory of that kind. Specialised by the headers of devices.
template <class Space>
struct EngineOf;
template <>
struct EngineOf<HostMemory> {
    using type = CpuEngine;
};

namespace detail {

// What steps return; a Report also where there is no engine, since an error says so.
template <class Space>
struct ReportFor {
    using type = Report;
};
template <class Space>
requires requires { typename EngineOf<Space>::type; }
struct ReportFor<Space> {
    using type = typename EngineOf<Space>::type::StepReport;
};

}  // namespace detail

}  // namespace polder
