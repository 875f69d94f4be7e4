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

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

#include <polder/blocks/block_shape.hpp>
#include <polder/closure/device_report.hpp>
#include <polder/closure/evaluation.hpp>
#include <polder/closure/report.hpp>
#include <polder/config.hpp>
#include <polder/device/memory.hpp>
#include <polder/engine/choose.hpp>
#include <polder/engine/column.hpp>
#include <polder/engine/layout.hpp>
#include <polder/engine/reduction.hpp>
#include <polder/engine/step_data.hpp>
#include <polder/groups/group.hpp>
#include <polder/run/site.hpp>

namespace polder::detail {

inline constexpr std::size_t max_terms = 16;  // of one reduction
using Row = std::array<double, max_terms>;

// The numbers of a step on the device, and those of the last step that has ended.
struct DeviceStep {
    Fault fault = Fault::none;  // of the step under way: the first
    double losses[evaluations] = {Report::none, Report::none, Report::none,
                                  Report::none, Report::none, Report::none};
    double noted[notes] = {};  // of the last step
    double last_losses[evaluations] = {};
    Fault last_fault = Fault::none;
    Fault raised = Fault::none;  // not yet reported
    std::uint64_t raised_step = 0;

    // (Nobody looks where the fault is none.)
    POLDER_HOST_DEVICE void require(bool finite, Fault otherwise) {
        if (!finite && fault == Fault::none) fault = otherwise;
    }
};

// A pass runs unless something of the step was not finite, and a flag (if any) was not set.
struct Guard {
    DeviceStep const* step;
    double const* flag;
    POLDER_HOST_DEVICE bool open() const {
        return (step == nullptr || step->fault == Fault::none) && (flag == nullptr || *flag != 0);
    }
};

// What the sites of a pass are made of.
struct SiteSource {
    double const* values;
    GroupSettings const* settings;
    std::uint64_t const* base_steps;
    std::uint64_t const* counts;  // of steps, skipped ones, and the method's
    std::uint32_t const* group;   // of each block
    std::size_t const* sizes;

    template <class T>
    POLDER_HOST_DEVICE Site<T> at(std::size_t block, bool* by_block) const {
        std::uint32_t const g = group[block];
        return {values,
                settings + g,
                base_steps[g],
                counts[2],
                counts[0],
                block,
                static_cast<double>(sizes[block]),
                by_block};
    }
    template <class T>
    POLDER_HOST_DEVICE Site<T> whole(double size, bool* by_block) const {
        return {values, settings, base_steps[0], counts[2], counts[0], 0, size, by_block};
    }
};

// The function of the coordinates of a block, in the hands of one team; made by the first of its threads, once for a group
// or, where it depends on the block, for each block.
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

// f(columns of a piece...) for arrays as engine/column.hpp locates them.
template <class Arrays, class F>
POLDER_HOST_DEVICE void with_pieces(Arrays const& arrays, std::size_t block, std::size_t within,
                                    F const& f) {
    std::apply([&](auto const&... array) { f(array.at(block, within)...); }, arrays);
}

// The pieces of the chunks of a team.
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
                       const auto function = functions.in(block);
                       with_pieces(arrays, block, within, [&](auto const&... columns) {
                           team.for_each(
                               length, [&](std::size_t i) { call_at<T>(function, i, columns...); });
                       });
                   });
    }
};

// A mask, as the function of a coordinate says.
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
                const auto function = functions.in(block);
                std::uint8_t* const at = mask(block) + within;
                team.for_each(length,
                              [&](std::size_t i) { at[i] = function(coordinate + i) ? 1 : 0; });
            });
    }
};

// Whatever was wrong with the step: f(i, columns...) in all blocks, or in frozen ones.
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

// A row of partial sums for each chunk or, over_blocks, for each piece of a block in it.
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
                    const auto function = functions.in(block);
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

struct NoEnd {
    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team&) const {}
};

// What a reduction makes of its sums: f.finish, from values `to` on. Sums that are not finite are `fault`.
template <class T, class F>
struct Finish {
    F f;
    DeviceStep* step;
    Fault fault;
    double* to;

    template <std::size_t n>
    POLDER_HOST_DEVICE void operator()(std::array<double, n> const& sums, bool finite,
                                       Site<T> const& here) const {
        if (fault != Fault::none) step->require(finite, fault);
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
        // One thread for a block of few pieces, all threads for one of many.
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

// 1 for a value that is not finite.
struct NotFinite {
    struct At {
        template <class V>
        POLDER_HOST_DEVICE Terms<Max> operator()(V value) const {
            return {Max{std::isfinite(value) ? 0.0 : 1.0}};
        }
    };
    template <class T>
    POLDER_HOST_DEVICE At at(Site<T> const&) const {
        return {};
    }
};
struct RequireFinite {
    Guard guard;
    DeviceStep* step;
    Fault fault;
    Row const* partial;
    std::size_t chunks;
    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        if (!guard.open()) return;
        double largest = 0;
        team.for_each(chunks,
                      [&](std::size_t chunk) { largest = Max::fold(largest, partial[chunk][0]); });
        largest = team.template combine<Max>(largest);
        team.once([&] { step->require(largest == 0, fault); });
    }
};

// A pass that changes the parameters and looks at gradients as it uses them: a coordinate of which one is not finite is left
// out by itself.
template <class T, class F, std::size_t n, class... Arrays>
struct WatchedBody {
    LayoutView layout;
    Guard guard;
    SiteSource source;
    F f;
    Row* partial;
    std::array<TurningBegins<T>, n> watched;
    std::size_t count;
    std::tuple<Arrays...> arrays;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team, std::size_t first, std::size_t step,
                                       std::size_t chunks) const {
        if (!guard.open()) return;
        FunctionsIn<T, F, Team> functions(team, f, source);
        for (std::size_t chunk = first; chunk < chunks; chunk += step) {
            double most_left = 0;  // how many from the first gradient on that is not finite
            layout.for_each_piece(
                chunk, [&](std::size_t block, std::size_t within, std::size_t, std::size_t length) {
                    const auto function = functions.in(block);
                    with_pieces(arrays, block, within, [&](auto const&... columns) {
                        team.for_each(length, [&](std::size_t i) {
                            std::size_t left = count;
                            for (std::size_t k = 0; k < n; ++k) {
                                if (k < count && left == count - k &&
                                    std::isfinite(watched[k](block)[within + i])) {
                                    --left;
                                }
                            }
                            if (left == 0) call_at<T>(function, i, columns...);
                            most_left = Max::fold(most_left, static_cast<double>(left));
                        });
                    });
                });
            most_left = team.template combine<Max>(most_left);
            team.once([&] { partial[chunk][0] = most_left; });
        }
    }
};
template <std::size_t n, class End>
struct WatchedTail {
    Guard guard;
    DeviceStep* step;
    std::array<Fault, n> faults;
    std::size_t count;
    Row const* partial;
    std::size_t chunks;
    End end;
    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        if (guard.open()) {
            double left = 0;
            team.for_each(chunks,
                          [&](std::size_t chunk) { left = Max::fold(left, partial[chunk][0]); });
            left = team.template combine<Max>(left);
            team.once([&] {
                if (left > 0) step->require(false, faults[count - static_cast<std::size_t>(left)]);
            });
        }
        end(team);
    }
};

// The end of a step: counts it, gives the turn to what it has written, and leaves its numbers to the report.
struct EndOfStep {
    DeviceStep* step;
    GroupSettings const* settings;
    std::uint64_t* base_steps;  // of each group
    std::size_t groups;
    std::uint64_t* counts;  // of steps, skipped ones, and the method's
    double const* values;
    std::array<Value, notes> noted;
    unsigned descents;
    bool active;
    bool is_step;  // false: a look at what one would do
    bool raises;   // what is not finite is an error: no step follows before it is reported
    std::array<unsigned*, Ending::most + 2> turns;
    std::size_t turn_count;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        team.once([&] { end(); });
    }

private:
    POLDER_HOST_DEVICE void end() const {
        DeviceStep& s = *step;
        if (s.fault == Fault::none && is_step) {
            ++counts[0];
            if (active) ++counts[2];
            for (std::size_t group = 0; group < groups; ++group) {
                if (!settings[group].frozen) base_steps[group] += descents;
            }
            for (std::size_t k = 0; k < turn_count; ++k) *turns[k] ^= 1;
        } else if (is_step) {
            ++counts[1];
        }
        if (s.fault != Fault::none && raises && s.raised == Fault::none) {
            s.raised = s.fault;
            s.raised_step = counts[0] + 1;
        }
        for (std::size_t k = 0; k < notes; ++k) {
            s.noted[k] = noted[k].exists() ? values[noted[k].slot] : Report::none;
        }
        s.last_fault = s.fault;
        if (!raises) s.fault = Fault::none;
        for (int k = 0; k < evaluations; ++k) {
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
            step->fault = step->raised;
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
            if (otherwise != Fault::none) step->require(std::isfinite(loss), otherwise);
        });
    }
};

struct NoBody {
    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team&, std::size_t, std::size_t, std::size_t) const {}
};

// Where a choice of the largest scores stands: see engine/choose.hpp.
struct Choice {
    std::uint64_t histogram[256] = {};
    std::uint64_t threshold = 0;
    std::uint64_t left = 0;
};

template <class T, class Score, class... Arrays>
struct Keys {
    Score score;
    std::tuple<Arrays...> arrays;

    // f(block, within, coordinate, key) of the coordinates of a chunk, in any order.
    template <class Team, class F>
    POLDER_HOST_DEVICE void for_each(Team& team, LayoutView const& layout, std::size_t chunk,
                                     F const& f) const {
        layout.for_each_piece(chunk, [&](std::size_t block, std::size_t within,
                                         std::size_t coordinate, std::size_t length) {
            with_pieces(arrays, block, within, [&](auto const&... columns) {
                team.for_each(length, [&](std::size_t i) {
                    const auto scored = [&](auto... values) {
                        return static_cast<double>(score(coordinate + i, values...));
                    };
                    f(block, within + i, key_of(call_at<T>(scored, i, columns...)));
                });
            });
        });
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
            keys.for_each(team, layout, chunk, [&](std::size_t, std::size_t, std::uint64_t bits) {
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
            keys.for_each(team, layout, chunk, [&](std::size_t, std::size_t, std::uint64_t bits) {
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
        for (std::size_t chunk = first; chunk < chunks; chunk += step) {
            keys.for_each(team, layout, chunk,
                          [&](std::size_t block, std::size_t at, std::uint64_t bits) {
                              if (bits > choice->threshold) chosen(block)[at] = 1;
                          });
            team.once([&] {
                double share = partial[chunk][0];
                if (share == 0) return;
                OneByOne one;
                keys.for_each(one, layout, chunk,
                              [&](std::size_t block, std::size_t at, std::uint64_t bits) {
                                  if (bits == choice->threshold && share > 0) {
                                      chosen(block)[at] = 1;
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
            T* const begin = array(block) + row * (shape.row_major ? shape.cols : 1);
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
