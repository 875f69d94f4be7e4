/// The places of the entries of a sparse matrix.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "recsys/tape/csr.hpp"
#include "recsys/tape/mirror.hpp"

namespace polder::recsys {

/// Where the entries of a (rows x cols) matrix are, by rows and by columns. Their order is that of the
/// rows, and of the columns within a row; values are kept elsewhere, in that order.
struct Pattern {
    /// One side: the entries at offsets[r] <= k < offsets[r + 1] belong to row r; their other ends are
    /// ends[k], and entry k of this side is entry entry[k] of the values.
    struct Side {
        std::vector<std::size_t> offsets = {0};
        std::vector<std::int32_t> ends;
        std::vector<std::int32_t> entry;
        DeviceMirror mirror = {};
    };

    std::size_t rows = 0, cols = 0;
    Side by_row, by_column;

    std::size_t size() const { return by_row.ends.size(); }

    Pattern() = default;

    /// The places of the entries of `matrix`.
    template <class T>
    explicit Pattern(Csr<T> const& matrix)
        : rows(matrix.rows), cols(matrix.cols), by_row{matrix.offsets, matrix.columns, {}, {}} {
        by_row.entry.resize(size());
        std::iota(by_row.entry.begin(), by_row.entry.end(), 0);
        // The transpose of the entries' numbers says where each of them goes.
        const Csr<std::int32_t> turned =
            transpose(Csr<std::int32_t>{rows, cols, by_row.offsets, by_row.ends, by_row.entry});
        by_column = {turned.offsets, turned.columns, turned.values, {}};
    }

    /// Becomes `all` without some entries: number[e] is the new number of its entry e, counted in their
    /// order, or negative where the entry is left out. Allocates in the first call for `all` only.
    void assign(Pattern const& all, std::span<std::int32_t const> number) {
        rows = all.rows;
        cols = all.cols;
        for (auto const side : {&Pattern::by_row, &Pattern::by_column}) {
            Side const& from = all.*side;
            Side& to = this->*side;
            to.mirror.forget();
            to.offsets.assign(1, 0);
            to.offsets.reserve(from.offsets.size());
            for (auto* list : {&to.ends, &to.entry}) {
                list->clear();
                list->reserve(all.size());
            }
            for (std::size_t r = 0; r + 1 < from.offsets.size(); ++r) {
                for (std::size_t k = from.offsets[r]; k < from.offsets[r + 1]; ++k) {
                    const std::int32_t entry = number[static_cast<std::size_t>(from.entry[k])];
                    if (entry < 0) continue;
                    to.ends.push_back(from.ends[k]);
                    to.entry.push_back(entry);
                }
                to.offsets.push_back(to.ends.size());
            }
        }
    }
};

/// The row of every entry of `pattern`.
inline std::vector<std::int32_t> rows_of_entries(Pattern const& pattern) {
    std::vector<std::int32_t> result(pattern.size());
    for (std::size_t row = 0; row < pattern.rows; ++row)
        for (std::size_t k = pattern.by_row.offsets[row]; k < pattern.by_row.offsets[row + 1]; ++k)
            result[k] = static_cast<std::int32_t>(row);
    return result;
}

}  // namespace polder::recsys
