/// The functions of a coordinate of one pass, made once for each group, or for each block where they differ.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <vector>

#include <polder/config.hpp>

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
    // Calls make(block, by_block) for the first block of each group. If make sets by_block, the function depends on the
    // block, and make is called for all other blocks of the group, too.
    template <class Make>
    auto fill(std::vector<std::uint32_t> const& group, std::size_t groups, Make const& make) {
        bool by_block = false;
        using F = decltype(make(std::size_t{0}, by_block));
        static_assert(std::is_trivially_copyable_v<F> && alignof(F) <= alignof(Line),
                      "polder: a policy's scalar functions hold numbers alone");
        std::size_t const most = group.size() + 1;
        index_.resize(group.size());
        of_group_.assign(groups, none);
        auto const lines = (most * sizeof(F) + sizeof(Line) - 1) / sizeof(Line);
        if (lines_.size() < lines) lines_.resize(lines);
        auto* const bytes = reinterpret_cast<std::byte*>(lines_.data());
        std::uint32_t made = 0;
        for (std::size_t block = 0; block < group.size(); ++block) {
            auto& known = of_group_[group[block]];
            if (known == none) {
                by_block = false;
                ::new (bytes + made * sizeof(F)) F(make(block, by_block));
                index_[block] = made;
                if (!by_block) known = made;
                ++made;
            } else {
                index_[block] = known;
            }
        }
        return Functions<F>{std::launder(reinterpret_cast<F const*>(bytes)), index_.data()};
    }

    // Reserves memory for functions of the usual size of all blocks, so that later steps allocate nothing.
    void reserve(std::size_t blocks, std::size_t groups) {
        constexpr std::size_t usual = 4;  // lines
        if (lines_.size() < (blocks + 1) * usual) lines_.resize((blocks + 1) * usual);
        index_.reserve(blocks);
        of_group_.reserve(groups);
    }

private:
    static constexpr std::uint32_t none = ~std::uint32_t{0};
    struct alignas(64) Line {
        std::byte bytes[64];
    };
    std::vector<Line> lines_;
    std::vector<std::uint32_t> index_;     // of each block
    std::vector<std::uint32_t> of_group_;  // the function of a group that has one for all blocks
};

}  // namespace polder::detail
