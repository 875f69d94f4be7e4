/// Sparse matrices by rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "recsys/tape/mirror.hpp"

namespace polder::recsys {

/// A (rows x cols) matrix in compressed sparse row form: the entries of row r are those at
/// offsets[r] <= k < offsets[r + 1], with ascending columns[k]. Who changes entries in place calls mirror.forget().
template <class T>
struct Csr {
    std::size_t rows = 0;
    std::size_t cols = 0;
    std::vector<std::size_t> offsets = {0};
    std::vector<std::int32_t> columns;
    std::vector<T> values;
    DeviceMirror mirror = {};
};

/// The transpose of `a`.
template <class T>
Csr<T> transpose(Csr<T> const& a) {
    Csr<T> result{a.cols, a.rows, std::vector<std::size_t>(a.cols + 1),
                  std::vector<std::int32_t>(a.columns.size()), std::vector<T>(a.values.size())};
    for (const std::int32_t column : a.columns)
        ++result.offsets[static_cast<std::size_t>(column) + 1];
    for (std::size_t row = 0; row < a.cols; ++row) result.offsets[row + 1] += result.offsets[row];
    auto next = result.offsets;
    for (std::size_t row = 0; row < a.rows; ++row) {
        for (std::size_t k = a.offsets[row]; k < a.offsets[row + 1]; ++k) {
            const std::size_t to = next[static_cast<std::size_t>(a.columns[k])]++;
            result.columns[to] = static_cast<std::int32_t>(row);
            result.values[to] = a.values[k];
        }
    }
    return result;
}

}  // namespace polder::recsys
