/// On a device: choosing the coordinates with the largest scores (engine/choose.hpp), and subtracting the means of rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <tuple>

#include <polder/blocks/block_shape.hpp>
#include <polder/config.hpp>
#include <polder/device/passes.hpp>
#include <polder/device/step.hpp>
#include <polder/engine/choose.hpp>
#include <polder/engine/column.hpp>
#include <polder/engine/layout.hpp>
#include <polder/engine/reduction.hpp>

namespace polder::detail {

// The state of a choice of the largest scores, see engine/choose.hpp.
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
                    auto const scored = [&](auto... values) {
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
        std::uint64_t const known = shift == 56 ? 0 : ~std::uint64_t{0} << (shift + 8);
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
            if (shift == 0 && c.threshold == 0) {  // all that may be chosen are chosen
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

// Sets the mask in a chunk: keys above the threshold, and of those equal to it the first ones, in order.
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

// Subtracts from each row its mean. A task is a row, counted through all blocks; row_ends says where those of a block end.
template <class T, class Begins>
struct CentraliseBody {
    LayoutView layout;
    Guard guard;
    BlockShape const* shapes;
    std::size_t const* row_ends;
    Begins array;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team, std::size_t first, std::size_t step,
                                       std::size_t rows) const {
        if (!guard.open()) return;
        std::size_t block = 0;
        for (std::size_t task = first; task < rows; task += step) {
            while (row_ends[block] <= task) ++block;
            BlockShape const shape = shapes[block];
            if (shape.cols < 2 || layout.frozen[block] != 0) continue;
            std::size_t const row = task - (row_ends[block] - shape.rows);
            std::size_t const along = shape.row_major ? 1 : shape.rows;
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
