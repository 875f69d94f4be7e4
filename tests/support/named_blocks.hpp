// The named blocks of a container, in a form that tests compare and print.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <polder/blocks/container.hpp>

#include "support/catch.hpp"

namespace polder::test {

struct NamedBlock {
    std::string name;
    std::size_t size;
    BlockShape shape;

    friend bool operator==(NamedBlock const&, NamedBlock const&) = default;
    friend std::ostream& operator<<(std::ostream& out, NamedBlock const& block) {
        return out << block.name << ": " << block.size << " as " << block.shape.rows << " x "
                   << block.shape.cols << (block.shape.row_major ? "" : ", column-major");
    }
};

using Named = std::vector<NamedBlock>;

/// Checks on the way that the blocks are those of for_each_block.
template <class C>
Named named_blocks(C& container) {
    using T = scalar_t<C>;
    Named blocks;
    std::vector<std::pair<T*, std::size_t>> seen, expected;
    for_each_named_block(container,
                         [&](std::string const& name, T* data, std::size_t size, BlockShape shape) {
                             blocks.push_back({name, size, shape});
                             seen.emplace_back(data, size);
                         });
    for_each_block(container,
                   [&](T* data, std::size_t size) { expected.emplace_back(data, size); });
    CHECK(seen == expected);
    return blocks;
}

}  // namespace polder::test
