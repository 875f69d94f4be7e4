/// What the engine of a device runs: the bodies of passes over the coordinates, and their tails, which run after all bodies.
///
/// They are written for a team of threads. A team is one thread in Thrust's C++ and OpenMP systems, and a thread block in
/// CUDA:
///
///     team.for_each(n, f)        f(0), ..., f(n - 1), each in one thread
///     team.once(f)               f() in one thread, after all that stands before it and before all that stands after it
///     team.combine<Fold>(value)  the values of all threads, folded in a fixed order; the thread of once() has the result
///     team.storage<F>()          memory for one F, which all threads of the team share
///     team.add(at, count)        *at += count, atomically
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

#include <polder/config.hpp>
#include <polder/device/memory.hpp>
#include <polder/device/step.hpp>
#include <polder/engine/column.hpp>
#include <polder/engine/layout.hpp>
#include <polder/engine/reduction.hpp>
#include <polder/run/site.hpp>

namespace polder::detail {

inline constexpr std::size_t max_terms = 16;  // of one reduction
using Row = std::array<double, max_terms>;

// The functions of a pass, for one team. The first thread of the team makes the function of a block: once for a group or, if
// it depends on the block, for each block.
template <class T, class F, class Team>
class FunctionsIn {
public:
    using At =
        std::remove_cvref_t<decltype(std::declval<F const&>().at(std::declval<Site<T> const&>()))>;
    POLDER_HOST_DEVICE FunctionsIn(Team& team, F const& f, SiteSource const& source)
        : team_(team), f_(f), source_(source) {}

    POLDER_HOST_DEVICE At in(std::size_t block) {
        Made* const room = team_.template storage<Made>();
        std::uint32_t const group = source_.group[block];
        if (group != have_ || room->by_block) {
            team_.once([&] {
                room->by_block = false;
                ::new (static_cast<void*>(&room->at))
                    At(f_.at(source_.template at<T>(block, &room->by_block)));
            });
        }
        have_ = group;
        return room->at;
    }

private:
    struct Made {
        bool by_block;
        At at;
    };
    Team& team_;
    F const& f_;
    SiteSource const& source_;
    std::uint32_t have_ = ~std::uint32_t{0};
};

// Calls f(columns of a piece...) for located arrays (engine/column.hpp).
template <class Arrays, class F>
POLDER_HOST_DEVICE void with_pieces(Arrays const& arrays, std::size_t block, std::size_t within,
                                    F const& f) {
    std::apply([&](auto const&... array) { f(array.at(block, within)...); }, arrays);
}

// Calls f for the pieces of all chunks of a team.
template <bool of_frozen = false, class F>
POLDER_HOST_DEVICE void for_pieces(LayoutView const& layout, std::size_t first, std::size_t step,
                                   std::size_t chunks, F const& f) {
    for (std::size_t chunk = first; chunk < chunks; chunk += step) {
        layout.for_each_piece<of_frozen>(chunk, f);
    }
}

template <class T, class F, class... Arrays>
struct MapBody {
    LayoutView layout;
    Guard guard;
    SiteSource source;
    F f;
    std::tuple<Arrays...> arrays;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team, std::size_t first, std::size_t step,
                                       std::size_t chunks) const {
        if (!guard.open()) return;
        FunctionsIn<T, F, Team> functions(team, f, source);
        for_pieces(layout, first, step, chunks,
                   [&](std::size_t block, std::size_t within, std::size_t, std::size_t length) {
                       auto const function = functions.in(block);
                       with_pieces(arrays, block, within, [&](auto const&... columns) {
                           team.for_each(
                               length, [&](std::size_t i) { call_at<T>(function, i, columns...); });
                       });
                   });
    }
};

// Writes what the function of a coordinate returns to a mask.
template <class T, class F, class Where>
struct FillBody {
    LayoutView layout;
    Guard guard;
    SiteSource source;
    F f;
    Where mask;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team, std::size_t first, std::size_t step,
                                       std::size_t chunks) const {
        if (!guard.open()) return;
        FunctionsIn<T, F, Team> functions(team, f, source);
        for_pieces(
            layout, first, step, chunks,
            [&](std::size_t block, std::size_t within, std::size_t coordinate, std::size_t length) {
                auto const function = functions.in(block);
                std::uint8_t* const at = mask(block) + within;
                team.for_each(length,
                              [&](std::size_t i) { at[i] = function(coordinate + i) ? 1 : 0; });
            });
    }
};

// Calls f(values...) for each coordinate of all blocks, or of frozen ones, also after a fault of the step.
template <bool of_frozen, class F, class... Arrays>
struct PlainBody {
    LayoutView layout;
    F f;
    std::tuple<Arrays...> arrays;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team, std::size_t first, std::size_t step,
                                       std::size_t chunks) const {
        for_pieces<of_frozen>(
            layout, first, step, chunks,
            [&](std::size_t block, std::size_t within, std::size_t, std::size_t length) {
                std::apply(
                    [&](auto const&... begins) {
                        team.for_each(length,
                                      [&](std::size_t i) { f(begins(block)[within + i]...); });
                    },
                    arrays);
            });
    }
};
struct CopyValue {
    template <class U>
    POLDER_HOST_DEVICE void operator()(U from, U& to) const {
        to = from;
    }
};
struct ExchangeValues {
    template <class U>
    POLDER_HOST_DEVICE void operator()(U& a, U& b) const {
        U const before = a;
        a = b;
        b = before;
    }
};
template <class U>
struct SetValue {
    U value;
    POLDER_HOST_DEVICE void operator()(U& to) const { to = value; }
};

template <class Terms>
struct Folded;
template <class... Folds>
struct Folded<std::tuple<Folds...>> {
    static constexpr std::size_t count = sizeof...(Folds);
    static_assert(count <= max_terms, "polder: a reduction has at most 16 terms");
    double values[count] = {};

    POLDER_HOST_DEVICE void add(std::tuple<Folds...> const& terms) {
        each([&]<std::size_t k, class Fold>() {
            values[k] = Fold::fold(values[k], std::get<k>(terms).value);
        });
    }
    POLDER_HOST_DEVICE void add(double const* row) {
        each([&]<std::size_t k, class Fold>() { values[k] = Fold::fold(values[k], row[k]); });
    }
    // Folds those of all threads of a team; the thread of once() has the result.
    template <class Team>
    POLDER_HOST_DEVICE void combine(Team& team) {
        each([&]<std::size_t k, class Fold>() {
            values[k] = team.template combine<Fold>(values[k]);
        });
    }
    POLDER_HOST_DEVICE void store(double* row) const {
        for (std::size_t k = 0; k < count; ++k) row[k] = values[k];
    }
    POLDER_HOST_DEVICE bool finite() const {
        bool all = true;
        for (double value : values) all = all && std::isfinite(value);
        return all;
    }
    POLDER_HOST_DEVICE std::array<double, count> sums() const {
        std::array<double, count> s{};
        for (std::size_t k = 0; k < count; ++k) s[k] = values[k];
        return s;
    }

private:
    template <class F>
    POLDER_HOST_DEVICE static void each(F const& f) {
        [&]<std::size_t... k>(std::index_sequence<k...>) {
            (f.template operator()<k, Folds>(), ...);
        }
        (std::make_index_sequence<count>{});
    }
};

template <class T, class F, class... Arrays>
struct FoldedBy {
    using At = decltype(std::declval<F const&>().at(std::declval<Site<T> const&>()));
    using type = Folded<std::remove_cvref_t<decltype(call_at<T>(
        std::declval<At const&>(), 0, std::declval<Arrays>().at(0, 0)...))>>;
};

// Writes a row of partial sums for each chunk or, with over_blocks, for each piece of a block in it.
template <bool over_blocks, class T, class F, class... Arrays>
struct ReduceBody {
    using Fold = typename FoldedBy<T, F, Arrays...>::type;
    LayoutView layout;
    Guard guard;
    SiteSource source;
    F f;
    Row* partial;
    std::tuple<Arrays...> arrays;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team, std::size_t first, std::size_t step,
                                       std::size_t chunks) const {
        if (!guard.open()) return;
        FunctionsIn<T, F, Team> functions(team, f, source);
        for (std::size_t chunk = first; chunk < chunks; chunk += step) {
            Fold fold;
            layout.for_each_piece(
                chunk, [&](std::size_t block, std::size_t within, std::size_t, std::size_t length) {
                    auto const function = functions.in(block);
                    with_pieces(arrays, block, within, [&](auto const&... columns) {
                        team.for_each(length, [&](std::size_t i) {
                            fold.add(call_at<T>(function, i, columns...));
                        });
                    });
                    if constexpr (over_blocks) {
                        store(team, fold, chunk + block);
                        fold = {};
                    }
                });
            if constexpr (!over_blocks) store(team, fold, chunk);
        }
    }

private:
    template <class Team>
    POLDER_HOST_DEVICE void store(Team& team, Fold& fold, std::size_t row) const {
        fold.combine(team);
        team.once([&] { fold.store(partial[row].data()); });
    }
};

// Writes what f.finish makes of the sums to the values from `to` on. If a sum is not finite, that is the fault `fault`.
template <class T, class F>
struct Finish {
    F f;
    DeviceStep* step;
    Fault fault;
    double* to;

    template <std::size_t n>
    POLDER_HOST_DEVICE void operator()(std::array<double, n> const& sums, bool finite,
                                       Site<T> const& here) const {
        if (fault != Fault::none) step->require(finite, fault_of(sums, fault));
        auto const found = finished(f, sums, here);
        for (std::size_t k = 0; k < found.size(); ++k) to[here.block * found.size() + k] = found[k];
    }
};

template <class T, class Fold, class F>
struct ReduceTail {
    Guard guard;
    SiteSource source;
    Row const* partial;
    std::size_t chunks;
    double size;
    Finish<T, F> finish;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        if (!guard.open()) return;
        Fold fold;
        team.for_each(chunks, [&](std::size_t chunk) { fold.add(partial[chunk].data()); });
        fold.combine(team);
        team.once([&] {
            bool by_block = false;
            finish(fold.sums(), fold.finite(), source.template whole<T>(size, &by_block));
        });
    }
};

template <class T, class Fold, class F>
struct ReduceBlocksTail {
    LayoutView layout;
    Guard guard;
    SiteSource source;
    Row const* partial;
    std::size_t const* begins;  // of the blocks, in coordinates
    std::size_t blocks;
    Finish<T, F> finish;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        if (!guard.open()) return;
        constexpr std::size_t worth_a_team = 64;
        // A block of few pieces is folded by one thread, a block of many by all threads.
        team.for_each(blocks, [&](std::size_t block) {
            if (pieces(block) >= worth_a_team) return;
            Fold fold;
            for (std::size_t k = 0; k < pieces(block); ++k) fold.add(piece(block, k));
            close(fold, block);
        });
        for (std::size_t block = 0; block < blocks; ++block) {
            if (pieces(block) < worth_a_team) continue;
            Fold fold;
            team.for_each(pieces(block), [&](std::size_t k) { fold.add(piece(block, k)); });
            fold.combine(team);
            team.once([&] { close(fold, block); });
        }
    }

private:
    POLDER_HOST_DEVICE void close(Fold const& fold, std::size_t block) const {
        bool by_block = false;
        finish(fold.sums(), fold.finite(), source.template at<T>(block, &by_block));
    }
    POLDER_HOST_DEVICE std::size_t first(std::size_t block) const {
        return begins[block] / layout.chunk_size;
    }
    POLDER_HOST_DEVICE std::size_t pieces(std::size_t block) const {
        if (layout.sizes[block] == 0 || layout.frozen[block] != 0) return 0;
        return (begins[block] + layout.sizes[block] - 1) / layout.chunk_size - first(block) + 1;
    }
    POLDER_HOST_DEVICE double const* piece(std::size_t block, std::size_t k) const {
        return partial[first(block) + k + block].data();
    }
};

// root = sqrt of the sum over blocks of a value of single blocks.
struct RootTail {
    Guard guard;
    double const* values;
    std::size_t stride, blocks;
    double* root;
    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        if (!guard.open()) return;
        team.once([&] {
            double sum = 0;
            for (std::size_t block = 0; block < blocks; ++block) sum += values[block * stride];
            *root = std::sqrt(sum);
        });
    }
};

}  // namespace polder::detail
