/// Finds blocks that share memory. Such a block would be stepped twice, and would count twice in every norm.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <polder/blocks/container.hpp>
#include <polder/error.hpp>

namespace polder::detail {

// A container, and what it is called in messages ("the parameters").
template <class C>
struct Called {
    char const* name;
    C& container;
};
template <class C>
Called(char const*, C&) -> Called<C>;

// Where a block lies: addresses [begin, end).
struct BlockRange {
    std::uintptr_t begin, end;
    std::size_t container, block;
};

template <class C>
std::string name_of_block(Called<C> const& of, std::size_t block) {
    std::string text;
    std::size_t k = 0;
    for_each_named_block(of.container,
                         [&](std::string const& name, auto*, std::size_t, BlockShape const&) {
                             if (k++ == block) text = "block '" + name + "' of " + of.name;
                         });
    return text;
}

/// Throws std::invalid_argument, which names both, if two blocks of the containers share memory. Time: n log n for n blocks.
template <class... C>
void require_apart(Called<C> const&... containers) {
    std::vector<BlockRange> ranges;
    std::size_t container = 0;
    auto const add = [&](auto& of) {
        std::size_t block = 0;
        for_each_block(of, [&](auto* data, std::size_t size) {
            auto const begin = reinterpret_cast<std::uintptr_t>(data);
            if (size > 0 && data != nullptr)
                ranges.push_back({begin, begin + size * sizeof *data, container, block});
            ++block;
        });
        ++container;
    };
    (add(containers.container), ...);

    std::sort(ranges.begin(), ranges.end(),
              [](auto const& a, auto const& b) { return a.begin < b.begin; });
    auto const next = std::adjacent_find(ranges.begin(), ranges.end(),
                                         [](auto& a, auto& b) { return b.begin < a.end; });
    if (next == ranges.end()) return;
    auto const in_order = [](BlockRange const& r) { return std::tie(r.container, r.block); };
    auto first = *next, second = *(next + 1);
    if (in_order(second) < in_order(first)) std::swap(first, second);
    auto const name = [&](BlockRange const& range) {
        std::string text;
        std::size_t k = 0;
        ((k++ == range.container ? void(text = name_of_block(containers, range.block)) : void()),
         ...);
        return text;
    };
    POLDER_THROW std::invalid_argument("polder: " + name(first) + " and " + name(second) +
                                       " share memory; expected all memory to be listed once");
}

}  // namespace polder::detail
