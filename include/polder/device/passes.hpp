/// What the engine of a device runs: the bodies of passes over the coordinates, and what follows them.
///
/// They are written for a team of threads, which is one thread on the processors of Thrust's C++ and OpenMP systems and
/// a thread block on CUDA:
///
///     team.for_each(n, f)        f(0), ..., f(n - 1), each in one thread
///     team.once(f)               f() in one thread, after all that was before and before all that comes
///     team.combine<Fold>(value)  the values of all threads folded, in a fixed order, known to the thread of once()
///     team.storage<F>()          room for one F that all threads see
///     team.add(at, count)        *at += count, whatever other threads of any team add
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

#include <polder/blocks/block_shape.hpp>
#include <polder/closure/device_report.hpp>
#include <polder/config.hpp>
#include <polder/device/memory.hpp>
#include <polder/engine/cpu.hpp>
#include <polder/engine/layout.hpp>
#include <polder/groups/group.hpp>
#include <polder/step/numbers.hpp>

namespace polder::detail {

using Row = CpuEngine::Row;

// The numbers of a step on the device, and those of the last step that has ended.
struct DeviceStep {
    Numbers now;  // first, so that a pointer to it is one to all
    double losses[losses_of_step] = {Report::none, Report::none, Report::none, Report::none,
                                     Report::none};
    Numbers last;
    double last_losses[losses_of_step] = {};
    Fault raised = Fault::none;  // not yet reported
    std::uint64_t raised_step = 0;
};

// A pass runs unless something of the step was not finite, and a flag (if any) was not set.
struct Guard {
    Numbers const* numbers;
    bool const* flag;
    POLDER_HOST_DEVICE bool open() const {
        return (numbers == nullptr || numbers->fault == Fault::none) && (flag == nullptr || *flag);
    }
};

// The function make(index[block]) of the coordinates of a block.
template <class Make>
struct MadeThere {
    Make make;
    std::uint32_t const* index;
};

// The function of the coordinates of a block, in the hands of one team; made by the first of its threads.
template <class Team, class F>
struct FunctionsIn {
    Team& team;
    F const& f;
    POLDER_HOST_DEVICE F const& in(std::size_t) const { return f; }
};
template <class Team, class Make>
struct FunctionsIn<Team, MadeThere<Make>> {
    using F = std::remove_cvref_t<decltype(std::declval<Make const&>()(std::size_t{0}))>;
    Team& team;
    MadeThere<Make> const& made;
    std::size_t have = static_cast<std::size_t>(-1);

    POLDER_HOST_DEVICE F in(std::size_t block) {
        const std::size_t k = made.index == nullptr ? 0 : made.index[block];
        F* const room = team.template storage<F>();
        if (k != have) team.once([&] { ::new (static_cast<void*>(room)) F(made.make(k)); });
        have = k;
        return *room;
    }
};

template <class F, class... Arrays>
struct ResultOf {
    using type = decltype(std::declval<F const&>()(*std::declval<Arrays>().locate(0, 0, 0)...));
};
template <class Make, class... Arrays>
struct ResultOf<MadeThere<Make>, Arrays...> {
    using F = decltype(std::declval<Make const&>()(std::size_t{0}));
    using type = typename ResultOf<F, Arrays...>::type;
};

// f(pointers to where a piece of each array begins).
template <class Arrays, class F>
POLDER_HOST_DEVICE void with_pieces(Arrays const& arrays, std::size_t block, std::size_t within,
                                    std::size_t coordinate, F const& f) {
    std::apply([&](auto const&... array) { f(array.locate(block, within, coordinate)...); },
               arrays);
}

// The pieces of the chunks of a team.
template <bool of_frozen = false, class F>
POLDER_HOST_DEVICE void for_pieces(LayoutView const& layout, std::size_t first, std::size_t step,
                                   std::size_t chunks, F const& f) {
    for (std::size_t chunk = first; chunk < chunks; chunk += step) {
        layout.for_each_piece<of_frozen>(chunk, f);
    }
}

template <class F, class... Arrays>
struct MapBody {
    LayoutView layout;
    Guard guard;
    F f;
    std::tuple<Arrays...> arrays;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team, std::size_t first, std::size_t step,
                                       std::size_t chunks) const {
        if (!guard.open()) return;
        FunctionsIn<Team, F> functions{team, f};
        for_pieces(
            layout, first, step, chunks,
            [&](std::size_t block, std::size_t within, std::size_t coordinate, std::size_t length) {
                const auto function = functions.in(block);
                with_pieces(arrays, block, within, coordinate, [&](auto*... at) {
                    team.for_each(length, [&](std::size_t i) { function(at[i]...); });
                });
            });
    }
};

// to = from, in all blocks or in frozen ones.
template <bool of_frozen, class From, class To>
struct CopyBody {
    LayoutView layout;
    From from;
    To to;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team, std::size_t first, std::size_t step,
                                       std::size_t chunks) const {
        for_pieces<of_frozen>(
            layout, first, step, chunks,
            [&](std::size_t block, std::size_t within, std::size_t coordinate, std::size_t length) {
                const auto a = from.locate(block, within, coordinate);
                auto* const b = to.locate(block, within, coordinate);
                team.for_each(length, [&](std::size_t i) { b[i] = a[i]; });
            });
    }
};
// An array of zeros, to copy from.
struct Zeros {
    struct Piece {
        POLDER_HOST_DEVICE std::uint8_t operator[](std::size_t) const { return 0; }
    };
    POLDER_HOST_DEVICE Piece locate(std::size_t, std::size_t, std::size_t) const { return {}; }
};

template <class Terms>
struct Folded;
template <class... Folds>
struct Folded<std::tuple<Folds...>> {
    static constexpr std::size_t count = sizeof...(Folds);
    static_assert(count <= CpuEngine::max_terms, "polder: a reduction has at most 16 terms");
    double values[count] = {};

    POLDER_HOST_DEVICE void add(std::tuple<Folds...> const& terms) {
        each([&]<std::size_t k, class Fold>() {
            values[k] = Fold::fold(values[k], std::get<k>(terms).value);
        });
    }
    POLDER_HOST_DEVICE void add(double const* row) {
        each([&]<std::size_t k, class Fold>() { values[k] = Fold::fold(values[k], row[k]); });
    }
    // Those of all threads of a team; known to that of once().
    template <class Team>
    POLDER_HOST_DEVICE void combine(Team& team) {
        each([&]<std::size_t k, class Fold>() {
            values[k] = team.template combine<Fold>(values[k]);
        });
    }
    POLDER_HOST_DEVICE void store(double* row) const {
        for (std::size_t k = 0; k < count; ++k) row[k] = values[k];
    }
    POLDER_HOST_DEVICE std::tuple<Folds...> sums() const {
        return [&]<std::size_t... k>(std::index_sequence<k...>) {
            return std::tuple<Folds...>{Folds{values[k]}...};
        }
        (std::make_index_sequence<count>{});
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

// A row of partial sums for each chunk or, over_blocks, for each piece of a block in it.
template <bool over_blocks, class F, class... Arrays>
struct ReduceBody {
    using Fold = Folded<typename ResultOf<F, Arrays...>::type>;
    LayoutView layout;
    Guard guard;
    F f;
    Row* partial;
    std::tuple<Arrays...> arrays;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team, std::size_t first, std::size_t step,
                                       std::size_t chunks) const {
        if (!guard.open()) return;
        FunctionsIn<Team, F> functions{team, f};
        for (std::size_t chunk = first; chunk < chunks; chunk += step) {
            Fold fold;
            layout.for_each_piece(chunk, [&](std::size_t block, std::size_t within,
                                             std::size_t coordinate, std::size_t length) {
                const auto function = functions.in(block);
                with_pieces(arrays, block, within, coordinate, [&](auto*... at) {
                    team.for_each(length, [&](std::size_t i) { fold.add(function(at[i]...)); });
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

struct NoEnd {
    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team&) const {}
};

template <class Fold, class Finish, class End>
struct ReduceTail {
    Guard guard;
    Row const* partial;
    std::size_t chunks;
    Finish finish;
    End end;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        if (guard.open()) {
            Fold fold;
            team.for_each(chunks, [&](std::size_t chunk) { fold.add(partial[chunk].data()); });
            fold.combine(team);
            team.once([&] { finish(fold.sums()); });
        }
        end(team);
    }
};

template <class Fold, class Finish>
struct ReduceBlocksTail {
    LayoutView layout;
    Guard guard;
    Row const* partial;
    Row* rows;
    std::size_t const* begins;  // of the blocks, in coordinates
    std::size_t blocks;
    Finish finish;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        if (!guard.open()) return;
        constexpr std::size_t worth_a_team = 64;
        // One thread for a block of few pieces, all threads for one of many.
        team.for_each(blocks, [&](std::size_t block) {
            if (pieces(block) >= worth_a_team) return;
            Fold fold;
            for (std::size_t k = 0; k < pieces(block); ++k) fold.add(piece(block, k));
            fold.store(rows[block].data());
        });
        for (std::size_t block = 0; block < blocks; ++block) {
            if (pieces(block) < worth_a_team) continue;
            Fold fold;
            team.for_each(pieces(block), [&](std::size_t k) { fold.add(piece(block, k)); });
            fold.combine(team);
            team.once([&] { fold.store(rows[block].data()); });
        }
        team.once([&] { finish(rows); });
    }

private:
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

// 1 for a value that is not finite.
template <class T>
struct NotFinite {
    POLDER_HOST_DEVICE auto operator()(std::size_t) const {
        return [](T value) { return Terms<Max>{Max{std::isfinite(value) ? 0.0 : 1.0}}; };
    }
};
// f, but where one of the first `watched` values is not finite: then how many from the first such one on.
template <std::size_t watched, class F>
struct WhereFinite {
    F f;
    template <class... Ts>
    POLDER_HOST_DEVICE Terms<Max> operator()(Ts&... at) const {
        std::size_t left = watched;
        static_cast<void>(
            ((left > 0 && std::isfinite(static_cast<double>(at)) ? (--left, true) : false) && ...));
        if (left == 0) f(at...);
        return {Max{static_cast<double>(left)}};
    }
};
template <std::size_t watched, class Make>
struct MakeWhereFinite {
    Make make;
    POLDER_HOST_DEVICE auto operator()(std::size_t k) const {
        const auto f = make(k);
        return WhereFinite<watched, std::remove_const_t<decltype(f)>>{f};
    }
};
template <std::size_t watched, class Finish>
struct FinishWhereFinite {
    Finish finish;
    POLDER_HOST_DEVICE void operator()(Terms<Max> const& sums) const {
        finish(watched - static_cast<std::size_t>(std::get<0>(sums).value));
    }
};
template <class Finish>
struct FinishFinite {
    Finish finish;
    POLDER_HOST_DEVICE void operator()(Terms<Max> const& sums) const {
        finish(std::get<0>(sums).value == 0);
    }
};

// The end of a step: counts it, gives the turn to what it has written, and leaves its numbers to the report.
struct EndOfStep {
    static constexpr int most_turns = 8;

    DeviceStep* step;
    GroupSettings const* settings;
    std::uint64_t* base_steps;  // of each group
    std::size_t groups;
    std::uint64_t* method_steps;
    std::uint64_t* step_counts;  // that changed the parameters, and that did not
    unsigned base;               // how many to count
    unsigned method;
    bool counts;  // false: no step, but a look at what one would do
    bool raises;  // what is not finite is an error: no step follows before it is reported
    unsigned* turns[most_turns];
    int turn_count;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        team.once([&] { end(); });
    }

private:
    POLDER_HOST_DEVICE void end() const {
        DeviceStep& s = *step;
        const Fault fault = s.now.fault;
        if (fault == Fault::none && counts) {
            ++step_counts[0];
            for (std::size_t group = 0; group < groups; ++group) {
                if (!settings[group].frozen) base_steps[group] += base;
            }
            *method_steps += method;
            for (int k = 0; k < turn_count; ++k) *turns[k] ^= 1;
        } else if (counts) {
            ++step_counts[1];
        }
        if (fault != Fault::none && raises && s.raised == Fault::none) {
            s.raised = fault;
            s.raised_step = step_counts[0] + 1;
        }
        s.last = s.now;
        s.now = Numbers{};
        if (raises) s.now.fault = fault;
        for (int k = 0; k < losses_of_step; ++k) {
            s.last_losses[k] = s.losses[k];
            s.losses[k] = Report::none;
        }
    }
};
// The same for a step that was left on its way.
struct ForgetStep {
    DeviceStep* step;
    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        team.once([&] {
            step->now = Numbers{};
            step->now.fault = step->raised;
            for (double& loss : step->losses) loss = Report::none;
        });
    }
};

struct KeepLoss {
    DeviceStep* step;
    void const* at;
    bool is_float;
    int which;
    Fault otherwise;
    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        team.once([&] {
            const double loss = is_float ? static_cast<double>(*static_cast<float const*>(at))
                                         : *static_cast<double const*>(at);
            step->losses[which] = loss;
            step->now.require(std::isfinite(loss), otherwise);
        });
    }
};

struct NoBody {
    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team&, std::size_t, std::size_t, std::size_t) const {}
};

// Where a choice of the largest scores stands: see CpuEngine::choose_largest.
struct Choice {
    std::uint64_t histogram[256] = {};
    std::uint64_t threshold = 0;
    std::uint64_t left = 0;
};

template <class Score, class... Arrays>
struct Keys {
    Score score;
    std::tuple<Arrays...> arrays;

    // f(coordinate, key) of the coordinates of the team's chunks, in any order.
    template <class Team, class F>
    POLDER_HOST_DEVICE void for_each(Team& team, LayoutView const& layout, std::size_t chunk,
                                     F const& f) const {
        layout.for_each_piece(chunk, [&](std::size_t block, std::size_t within,
                                         std::size_t coordinate, std::size_t length) {
            with_pieces(arrays, block, within, coordinate, [&](auto const*... at) {
                team.for_each(length, [&](std::size_t i) {
                    f(coordinate + i, key(score(coordinate + i, at[i]...)));
                });
            });
        });
    }

private:
    // Doubles >= 0 are ordered as their bits; 0 stands for what may not be chosen.
    POLDER_HOST_DEVICE static std::uint64_t key(double value) {
        return value >= 0 ? std::bit_cast<std::uint64_t>(value + 0.0) + 1 : 0;
    }
};

template <class Keys>
struct DigitBody {
    LayoutView layout;
    Guard guard;
    Keys keys;
    Choice* choice;
    int shift;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team, std::size_t first, std::size_t step,
                                       std::size_t chunks) const {
        if (!guard.open()) return;
        const std::uint64_t known = shift == 56 ? 0 : ~std::uint64_t{0} << (shift + 8);
        for (std::size_t chunk = first; chunk < chunks; chunk += step) {
            keys.for_each(team, layout, chunk, [&](std::size_t, std::uint64_t bits) {
                if (bits != 0 && (bits & known) == choice->threshold) {
                    team.add(&choice->histogram[bits >> shift & 255], 1);
                }
            });
        }
    }
};
struct DigitTail {
    Guard guard;
    Choice* choice;
    int shift;
    std::uint64_t size;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        if (!guard.open()) return;
        team.once([&] {
            Choice& c = *choice;
            std::uint64_t digit = 255;
            while (digit > 0 && c.histogram[digit] < c.left) c.left -= c.histogram[digit--];
            c.threshold |= digit << shift;
            for (std::uint64_t& count : c.histogram) count = 0;
            if (shift == 0 && c.threshold == 0) {  // all that may be chosen
                c.threshold = 1;
                c.left = size;
            }
        });
    }
};

// How many keys of each chunk are equal to the threshold, and how many of those are chosen.
template <class Keys>
struct TiesBody {
    LayoutView layout;
    Guard guard;
    Keys keys;
    Choice const* choice;
    Row* partial;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team, std::size_t first, std::size_t step,
                                       std::size_t chunks) const {
        if (!guard.open()) return;
        for (std::size_t chunk = first; chunk < chunks; chunk += step) {
            double equal = 0;
            keys.for_each(team, layout, chunk, [&](std::size_t, std::uint64_t bits) {
                equal += bits == choice->threshold ? 1.0 : 0.0;
            });
            equal = team.template combine<Sum>(equal);
            team.once([&] { partial[chunk][0] = equal; });
        }
    }
};
struct TiesTail {
    Guard guard;
    Choice const* choice;
    Row* partial;
    std::size_t chunks;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        if (!guard.open()) return;
        team.once([&] {
            auto ties = static_cast<double>(choice->left);
            for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
                double& share = partial[chunk][0];
                share = share < ties ? share : ties;
                ties -= share;
            }
        });
    }
};

// What a chunk takes of one score after the other, in order.
struct OneByOne {
    template <class F>
    POLDER_HOST_DEVICE void for_each(std::size_t count, F const& f) {
        for (std::size_t i = 0; i < count; ++i) f(i);
    }
};
template <class Keys, class Chosen>
struct ChooseBody {
    LayoutView layout;
    Guard guard;
    Keys keys;
    Choice const* choice;
    Row const* partial;
    Chosen chosen;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team, std::size_t first, std::size_t step,
                                       std::size_t chunks) const {
        if (!guard.open()) return;
        std::uint8_t* const out = chosen.locate(0, 0, 0);
        for (std::size_t chunk = first; chunk < chunks; chunk += step) {
            keys.for_each(team, layout, chunk, [&](std::size_t coordinate, std::uint64_t bits) {
                if (bits > choice->threshold) out[coordinate] = 1;
            });
            team.once([&] {
                double share = partial[chunk][0];
                if (share == 0) return;
                OneByOne one;
                keys.for_each(one, layout, chunk, [&](std::size_t coordinate, std::uint64_t bits) {
                    if (bits == choice->threshold && share > 0) {
                        out[coordinate] = 1;
                        --share;
                    }
                });
            });
        }
    }
};

// Takes off each row its mean. Tasks are the rows of all blocks; row_ends counts them through.
template <class T, class Array>
struct CentraliseBody {
    LayoutView layout;
    Guard guard;
    BlockShape const* shapes;
    std::size_t const* row_ends;
    Array array;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team, std::size_t first, std::size_t step,
                                       std::size_t rows) const {
        if (!guard.open()) return;
        std::size_t block = 0;
        for (std::size_t task = first; task < rows; task += step) {
            while (row_ends[block] <= task) ++block;
            const BlockShape shape = shapes[block];
            if (shape.cols < 2 || layout.frozen[block] != 0) continue;
            const std::size_t row = task - (row_ends[block] - shape.rows);
            const std::size_t along = shape.row_major ? 1 : shape.rows;
            T* const begin = array.locate(block, 0, 0) + row * (shape.row_major ? shape.cols : 1);
            double sum = 0;
            team.for_each(shape.cols, [&](std::size_t col) { sum += begin[col * along]; });
            sum = team.template combine<Sum>(sum);
            T* const mean = team.template storage<T>();
            team.once([&] { *mean = T(sum / static_cast<double>(shape.cols)); });
            team.for_each(shape.cols, [&](std::size_t col) { begin[col * along] -= *mean; });
        }
    }
};

}  // namespace polder::detail
