/// How the coordinates of one block form a matrix.
#pragma once

#include <cstddef>

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

}  // namespace polder
