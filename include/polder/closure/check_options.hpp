/// How thoroughly check_closure looks.
#pragma once

#include <cstddef>
#include <cstdint>

namespace polder {

/// What check_closure is asked for.
struct CheckOptions {
    /// How many coordinates are compared with finite differences: of each block the one with the largest gradient (of
    /// blocks evenly spread, where there are more), then drawn ones. All where x has no more. 0: none.
    std::size_t coordinates = 32;
    /// Of the drawn coordinates and of the moved point. The k-th draw depends on the seed and on k alone.
    std::uint64_t seed = 1;
    /// Relative; > 0, or else 1e-5, and 2e-2 where parameters or losses are float.
    double tolerance = 0;
    /// h relative to the coordinate's scale; > 0, or else the cube root of the machine epsilon.
    double step = 0;
};

}  // namespace polder
