/// How the coordinates of one block form a matrix, and what is known of the blocks of a container.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include <polder/config.hpp>

namespace polder {

/// Coordinate k of a block is element (k / cols, k % cols) of a matrix of rows x cols if it is row-major,
/// else element (k % rows, k / rows). A block of one dimension is {size, 1, true}. A block of three or
/// more is the matrix of its first extent by the product of the others.
struct BlockShape {
    std::size_t rows = 0;
    std::size_t cols = 1;
    bool row_major = true;

    friend constexpr bool operator==(BlockShape, BlockShape) = default;
};

namespace detail {

// The blocks of the parameters, in order.
struct Blocks {
    std::vector<std::string> names;
    std::vector<BlockShape> shapes;
    std::vector<std::size_t> sizes;

    POLDER_COLD void add(std::string name, std::size_t size, BlockShape const& shape) {
        names.push_back(std::move(name));
        shapes.push_back(shape);
        sizes.push_back(size);
    }
};

}  // namespace detail

}  // namespace polder
