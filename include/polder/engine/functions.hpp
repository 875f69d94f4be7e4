/// The functions of a coordinate of one pass, made once for each group, or for each block where they differ.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/config.hpp>
#include <polder/engine/function_ref.hpp>

namespace polder::detail {

// In block b the function is functions[index[b]].
template <class F>
struct Functions {
    F const* functions;
    std::uint32_t const* index;
    F const& operator[](std::size_t block) const { return functions[index[block]]; }
};

// Memory for the functions of one pass at a time. It allocates only if a pass needs more than all passes before.
class FunctionTable {
public:
    // Calls make(to, block, by_block), which makes an F there, for the first block of each group. If make sets by_block, the function depends on the
    // block, and make is called for all other blocks of the group, too.
    template <class F, class Make>
    Functions<F> fill(std::vector<std::uint32_t> const& group, std::size_t groups,
                      Make const& make) {
        static_assert(std::is_trivially_copyable_v<F> && alignof(F) <= alignof(Line),
                      "polder: a policy's scalar functions hold numbers alone");
        fill(group, groups, sizeof(F), make);
        return {std::launder(reinterpret_cast<F const*>(lines_.data())), index_.data()};
    }

    // Reserves memory for functions of the usual size of all blocks, so that later steps allocate nothing.
    void reserve(std::size_t blocks, std::size_t groups) {
        constexpr std::size_t usual = 4;  // lines
        if (lines_.size() < (blocks + 1) * usual || index_.size() < blocks ||
            of_group_.size() < groups)
            grow((blocks + 1) * usual, blocks, groups);
    }

private:
    static constexpr std::uint32_t none = ~std::uint32_t{0};
    struct alignas(64) Line {
        std::byte bytes[64];
    };

    // The same for functions of any type, of which make(to, block, by_block) writes one.
    POLDER_APART void fill(std::vector<std::uint32_t> const& group, std::size_t groups,
                           std::size_t size, FunctionRef<void(void*, std::size_t, bool&)> make) {
        auto const lines = ((group.size() + 1) * size + sizeof(Line) - 1) / sizeof(Line);
        if (lines_.size() < lines || index_.size() < group.size() || of_group_.size() < groups)
            grow(lines, group.size(), groups);
        auto* const bytes = reinterpret_cast<std::byte*>(lines_.data());
        if (group.size() == 1) {  // the smallest models, whose passes take little longer than this
            bool by_block = false;
            index_[0] = 0;
            return make(bytes, 0, by_block);
        }
        std::fill_n(of_group_.begin(), groups, none);
        std::uint32_t made = 0;
        for (std::size_t block = 0; block < group.size(); ++block) {
            auto& known = of_group_[group[block]];
            if (known == none) {
                bool by_block = false;
                make(bytes + made * size, block, by_block);
                index_[block] = made;
                if (!by_block) known = made;
                ++made;
            } else {
                index_[block] = known;
            }
        }
    }
    POLDER_COLD void grow(std::size_t lines, std::size_t blocks, std::size_t groups) {
        if (lines_.size() < lines) lines_ = std::vector<Line>(lines);
        if (index_.size() < blocks) index_ = std::vector<std::uint32_t>(blocks);
        if (of_group_.size() < groups) of_group_ = std::vector<std::uint32_t>(groups);
    }

    std::vector<Line> lines_;
    std::vector<std::uint32_t> index_;     // of each block
    std::vector<std::uint32_t> of_group_;  // the function of a group that has one for all blocks
};

}  // namespace polder::detail
