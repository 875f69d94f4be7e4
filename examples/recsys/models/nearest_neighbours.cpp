#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <Eigen/Core>

#include <polder/engine/parallel.hpp>

#include "recsys/models/item_graph.hpp"

namespace polder::recsys {

namespace {

// The k best columns of every row of a matrix whose entries come in any order.
template <class T>
class LargestOfRows {
public:
    LargestOfRows(std::size_t rows, std::size_t k)
        : k_(k), entries_(rows * k, Entry{-std::numeric_limits<T>::infinity(), 0}),
          smallest_(rows, -std::numeric_limits<T>::infinity()) {}

    // Different rows may be offered entries at the same time.
    void offer(std::size_t row, std::size_t column, T value) {
        if (!(value >= smallest_[row])) return;
        const Entry entry{value, static_cast<std::int32_t>(column)};
        Entry* const first = entries_.data() + row * k_;
        Entry* at = first + (k_ - 1);
        if (!is_before(entry, *at)) return;
        for (; at != first && is_before(entry, *(at - 1)); --at) *at = *(at - 1);
        *at = entry;
        smallest_[row] = first[k_ - 1].value;
    }

    // Rows of k entries each, of `columns` columns.
    Csr<T> finish(std::size_t columns) && {
        Csr<T> result{smallest_.size(), columns, {0}, {}, {}};
        for (std::size_t row = 0; row < result.rows; ++row) {
            auto const begin = entries_.begin() + static_cast<std::ptrdiff_t>(row * k_);
            auto const end = begin + static_cast<std::ptrdiff_t>(k_);
            std::sort(begin, end, [](Entry a, Entry b) { return a.column < b.column; });
            for (auto at = begin; at != end; ++at) {
                result.columns.push_back(at->column);
                result.values.push_back(at->value);
            }
            result.offsets.push_back(result.columns.size());
        }
        return result;
    }

private:
    struct Entry {
        T value;
        std::int32_t column;
    };

    static bool is_before(Entry a, Entry b) {
        return a.value != b.value ? a.value > b.value : a.column < b.column;
    }

    std::size_t k_;
    std::vector<Entry> entries_;  // k of every row, the best first
    std::vector<T> smallest_;
};

}  // namespace

template <class T>
Csr<T> nearest_neighbours(MatrixView<T const> x, int k, int threads) {
    if (k < 1 || static_cast<std::size_t>(k) > x.rows)
        throw std::invalid_argument("knn_k = " + std::to_string(k) + ", expected 1 to " +
                                    std::to_string(x.rows) +
                                    ", the number of items, each of which has k nearest ones");
    using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    // A multiple of the rows that Eigen's kernels take at once (12, 24 or 48): a rest would be added up in
    // another order, and equal rows would have cosines that differ.
    constexpr std::size_t tile = 240;
    auto const index = [](std::size_t size) { return static_cast<Eigen::Index>(size); };
    const std::size_t blocks = (x.rows + tile - 1) / tile;

    Matrix unit(index(blocks * tile), index(x.cols));  // rows of length 1, filled up with zeros
    parallel_for(unit.rows() == 0 ? 0 : blocks * tile, threads, [&](std::size_t i) {
        auto row = unit.row(index(i));
        row.setZero();
        if (i >= x.rows) return;
        const Eigen::Map<Matrix const> from(x.data + i * x.cols, 1, index(x.cols));
        const double norm = std::sqrt(from.template cast<double>().squaredNorm());
        if (norm > 0) row = (from.template cast<double>() / norm).template cast<T>();
    });

    LargestOfRows<T> largest(x.rows, static_cast<std::size_t>(k));
    auto const compare = [&](std::size_t a, std::size_t b) {
        const Matrix cosines = unit.middleRows(index(a * tile), index(tile)) *
                               unit.middleRows(index(b * tile), index(tile)).transpose();
        const std::size_t end_a = std::min(tile, x.rows - a * tile);
        const std::size_t end_b = std::min(tile, x.rows - b * tile);
        for (std::size_t i = 0; i < end_a; ++i) {
            for (std::size_t j = 0; j < end_b; ++j) {
                const T cosine = cosines(index(i), index(j));
                largest.offer(a * tile + i, b * tile + j, cosine);
                if (a != b) largest.offer(b * tile + j, a * tile + i, cosine);
            }
        }
    };
    // In a round every block of rows is in one pair only, and after all of them every pair was in one.
    std::vector<std::pair<std::size_t, std::size_t>> round;
    for (std::size_t r = 0; r < blocks; ++r) {
        round.clear();
        for (std::size_t a = 0; a < blocks; ++a) {
            const std::size_t b = (r + blocks - a) % blocks;
            if (a <= b) round.emplace_back(a, b);
        }
        parallel_for(round.size(), threads,
                     [&](std::size_t pair) { compare(round[pair].first, round[pair].second); });
    }
    return std::move(largest).finish(x.rows);
}

template Csr<float> nearest_neighbours(MatrixView<float const>, int, int);
template Csr<double> nearest_neighbours(MatrixView<double const>, int, int);

}  // namespace polder::recsys
