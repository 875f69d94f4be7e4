/// Choosing the coordinates with the largest scores, without sorting.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <polder/config.hpp>
#include <polder/engine/column.hpp>

namespace polder::detail {

// A key by which scores are ordered: doubles >= 0 have the order of their bits. 0 means that the coordinate must not be chosen.
POLDER_HOST_DEVICE inline std::uint64_t key_of(double score) {
    return score >= 0 ? std::bit_cast<std::uint64_t>(score + 0.0) + 1 : 0;
}

// Sets `chosen` to 1 at the `count` coordinates with the largest score(coordinate, values...) and leaves the others as
// they are. Of equal scores the lower coordinate is chosen. A negative score is never chosen, so there may be fewer.
// Eight passes find the smallest key that is chosen, eight bits at a time, beginning with the highest.
template <class Engine, class Score, class... Args>
void choose_largest_on_host(Engine& engine, std::size_t count, Score const& score, MaskId chosen,
                            Args const&... args) {
    using T = typename Engine::Scalar;
    // Calls f(key, element of the mask) for each coordinate of a chunk.
    auto const along = [&](std::size_t chunk, auto const& f) {
        auto const masks = engine.located(Written{chosen});
        engine.layout().for_each_piece(
            chunk, [&](auto block, auto within, auto coordinate, auto length) {
                std::uint8_t* const mask = masks.at(block, within).at;
                for (std::size_t i = 0; i < length; ++i) {
                    auto const key = [&, at = coordinate + i](auto... values) {
                        return key_of(static_cast<double>(score(at, values...)));
                    };
                    f(call_at<T>(key, i, engine.located(args).at(block, within)...), mask[i]);
                }
            });
    };
    std::uint64_t threshold = 0;
    std::uint64_t left =
        count;  // how many have still to be chosen among keys that begin with the bits found so far
    for (int shift = 56; shift >= 0; shift -= 8) {
        std::array<std::atomic<std::uint64_t>, 256> histogram{};
        std::uint64_t const known = shift == 56 ? 0 : ~std::uint64_t{0} << (shift + 8);
        engine.for_each_chunk([&](std::size_t chunk) {
            std::array<std::uint32_t, 256> local{};
            along(chunk, [&](std::uint64_t bits, std::uint8_t&) {
                if (bits != 0 && (bits & known) == threshold) ++local[bits >> shift & 255];
            });
            for (std::size_t digit = 0; digit < 256; ++digit) {
                if (local[digit] != 0) histogram[digit] += local[digit];
            }
        });
        std::uint64_t digit = 255;
        while (digit > 0 && histogram[digit] < left) left -= histogram[digit--];
        threshold |= digit << shift;
    }
    if (threshold == 0) {  // all that may be chosen are chosen
        threshold = 1;
        left = engine.layout().size();
    }
    engine.for_each_chunk([&](std::size_t chunk) {
        std::uint64_t equal = 0;
        along(chunk, [&](std::uint64_t bits, std::uint8_t&) { equal += bits == threshold; });
        engine.partial(chunk) = static_cast<double>(equal);
    });
    auto ties = static_cast<double>(left);
    for (std::size_t chunk = 0; chunk < engine.layout().chunks(); ++chunk) {
        double& share = engine.partial(chunk);
        share = std::min(share, ties);
        ties -= share;
    }
    engine.for_each_chunk([&](std::size_t chunk) {
        along(chunk, [&](std::uint64_t bits, std::uint8_t& mask) {
            if (bits > threshold || (bits == threshold && engine.partial(chunk)-- > 0)) mask = 1;
        });
    });
}

}  // namespace polder::detail
