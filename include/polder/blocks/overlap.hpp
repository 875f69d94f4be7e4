/// Finds blocks that share memory. Such a block would be stepped twice, and would count twice in every norm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <polder/blocks/block_shape.hpp>
#include <polder/blocks/container.hpp>
#include <polder/config.hpp>
#include <polder/message.hpp>

namespace polder::detail {

// Where a block lies: addresses [begin, end).
struct BlockRange {
    std::uintptr_t begin, end;
    std::size_t container, block;

    bool empty() const { return begin == end; }
};

struct BlockRanges {
    std::vector<BlockRange> all;

    POLDER_COLD void add(void const* data, std::size_t bytes, std::size_t container) {
        auto const begin = reinterpret_cast<std::uintptr_t>(data);
        bool const follows = !all.empty() && all.back().container == container;
        all.push_back({begin, data == nullptr ? begin : begin + bytes, container,
                       follows ? all.back().block + 1 : 0});
    }
};

// A container of any type, and what it is called in messages ("the parameters"). Everything about the type is in two
// functions, so that the checks are compiled once.
class Called {
public:
    template <class C>
    Called(char const* name, C& container)
        : name_(name), container_(std::addressof(container)), ranges_(&ranges_of<C>),
          blocks_(&blocks_of_any<C>) {}

    void ranges(BlockRanges& to, std::size_t number) const { ranges_(container_, to, number); }
    std::string name_of_block(std::size_t block) const {
        return text_of({"block '", blocks_(container_).names[block], "' of ", name_});
    }

private:
    template <class C>
    POLDER_COLD static void ranges_of(void* container, BlockRanges& to, std::size_t number) {
        for_each_block(*static_cast<C*>(container), [&](auto* data, std::size_t size) {
            to.add(data, size * sizeof *data, number);
        });
    }
    template <class C>
    static Blocks blocks_of_any(void* container) {
        return blocks_of(*static_cast<C*>(container));
    }

    char const* name_;
    void* container_;
    void (*ranges_)(void*, BlockRanges&, std::size_t);
    Blocks (*blocks_)(void*);
};

/// Throws std::invalid_argument, which names both, if two blocks of the containers share memory. Time: n log n for n blocks.
POLDER_COLD inline void require_apart(std::initializer_list<Called> others, Called const& last) {
    std::vector<Called> containers(others);
    containers.push_back(last);
    BlockRanges ranges;
    for (std::size_t k = 0; k < containers.size(); ++k) containers[k].ranges(ranges, k);
    std::vector<BlockRange>& all = ranges.all;
    if (all.empty()) return;
    // qsort is in the C library, while std::sort would be compiled here.
    std::qsort(all.data(), all.size(), sizeof(BlockRange), [](void const* a, void const* b) {
        auto const begin_a = static_cast<BlockRange const*>(a)->begin;
        auto const begin_b = static_cast<BlockRange const*>(b)->begin;
        return begin_a < begin_b ? -1 : begin_a > begin_b ? 1 : 0;
    });
    BlockRange const* before = nullptr;
    for (BlockRange const& range : all) {
        if (range.empty()) continue;
        if (before != nullptr && range.begin < before->end) {
            auto const in_order = [](BlockRange const& r) {
                return std::tie(r.container, r.block);
            };
            BlockRange first = *before, second = range;
            if (in_order(second) < in_order(first)) std::swap(first, second);
            auto const name = [&](BlockRange const& r) {
                return containers[r.container].name_of_block(r.block);
            };
            wrong_argument({name(first), " and ", name(second),
                            " share memory; expected all memory to be listed once"});
        }
        before = &range;
    }
}

/// Throws std::invalid_argument, which names the block, if a block of a copy is the original's memory.
POLDER_COLD inline void require_deep_copy(Called const& original, Called const& copy) {
    BlockRanges of_original, of_copy;
    original.ranges(of_original, 0);
    copy.ranges(of_copy, 0);
    for (std::size_t k = 0; k < of_copy.all.size(); ++k) {
        BlockRange const& range = of_copy.all[k];
        if (!range.empty() && range.begin == of_original.all[k].begin) {
            wrong_argument(
                {copy.name_of_block(k), " is the original's memory, expected a deep copy"});
        }
    }
}

}  // namespace polder::detail
