/// The tape's back end for the CPU: loops over rows, spread over threads.
///
/// Every entry of a result is computed by one thread, in an order that does not depend on how many
/// there are; sums over whole matrices are made of fixed parts added in order, in double. So results
/// are the same bit for bit on any number of threads.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <Eigen/Core>

#include <polder/blocks/arena.hpp>
#include <polder/engine/parallel.hpp>

#include "recsys/tape/aligned_buffer.hpp"
#include "recsys/tape/broadcast.hpp"
#include "recsys/tape/csr.hpp"
#include "recsys/tape/rows.hpp"

namespace polder::recsys {

namespace detail {

// Entry j of row `row` of an operand is row_of(operand, row)[j].
template <class T>
T* row_of(MatrixView<T> view, std::size_t row) {
    return view.data + row * view.cols;
}

template <class T>
struct Same {
    T value;
    T operator[](std::size_t) const { return value; }
};

template <class T>
Same<T> row_of(PerRow<T> operand, std::size_t row) {
    return {operand.view.data[row]};
}

template <class T>
Same<T> row_of(Single<T> operand, std::size_t) {
    return {operand.view.data[0]};
}

}  // namespace detail

/// T: float or double.
template <class T>
class EigenBackend {
public:
    using Scalar = T;
    using Buffer = AlignedBuffer<T>;
    using Sparse = Csr<T>;

    /// Loops over fewer than `least_work` entries run on the calling thread: waking the others takes
    /// longer.
    explicit EigenBackend(int threads = default_threads(), std::size_t least_work = 500'000)
        : threads_(std::max(threads, 1)), least_work_(least_work) {}

    /// The entry of a scalar.
    T read(MatrixView<T const> x) { return x.data[0]; }

    /// Every entry of `rows` becomes `value`.
    void fill(MatrixView<T> x, Rows rows, T value) {
        map_rows(
            rows, [value](T& out) { out = value; }, x);
    }

    /// Every entry of the other rows becomes `value`.
    void fill_except(MatrixView<T> x, Rows rows, T value) {
        for_each_row(Rows::all(), x, [&](std::size_t row) {
            if (!rows.contains(row)) std::fill_n(detail::row_of(x, row), x.cols, value);
        });
    }

    /// f(first_bj, rest_bj...) for every entry. f writes to the arguments it takes by reference. The
    /// shape is that of `first`; operands may be matrices, PerRow or Single.
    template <class F, class... Operands>
    void map(F f, MatrixView<T> first, Operands... rest) {
        map_rows(Rows::all(), f, first, rest...);
    }

    /// The same for the entries of `rows`.
    template <class F, class... Operands>
    void map_rows(Rows rows, F f, MatrixView<T> first, Operands... rest) {
        for_each_row(rows, first, [&](std::size_t row) {
            map_row(first.cols, f, detail::row_of(first, row), detail::row_of(rest, row)...);
        });
    }

    /// y_b = sum_j f(first_bj, rest_bj...).
    template <class F, class First, class... Operands>
    void row_sum(F f, MatrixView<T> y, First first, Operands... rest) {
        for_each_row(Rows::all(), first, [&](std::size_t row) {
            Lanes lanes{};
            sum_row(lanes, first.cols, f, detail::row_of(first, row), detail::row_of(rest, row)...);
            y.data[row] = static_cast<T>(total(lanes));
        });
    }

    /// y = sum_bj f(first_bj, rest_bj...), a scalar.
    template <class F, class First, class... Operands>
    void sum(F f, MatrixView<T> y, First first, Operands... rest) {
        const std::size_t parts = (first.rows + rows_per_part - 1) / rows_per_part;
        partial_.resize(std::max(partial_.size(), parts));
        parallel_for(parts, threads_for(first.size()), [&](std::size_t part) {
            const std::size_t end = std::min(first.rows, (part + 1) * rows_per_part);
            Lanes lanes{};
            for (std::size_t row = part * rows_per_part; row < end; ++row)
                sum_row(lanes, first.cols, f, detail::row_of(first, row),
                        detail::row_of(rest, row)...);
            partial_[part] = total(lanes);
        });
        double result = 0;
        for (std::size_t part = 0; part < parts; ++part) result += partial_[part];
        y.data[0] = static_cast<T>(result);
    }

    /// y_b = x_index(b).
    void gather(MatrixView<T const> x, std::span<std::int32_t const> index, MatrixView<T> y) {
        for_each_row(Rows::all(), y, [&](std::size_t b) {
            std::copy_n(detail::row_of(x, static_cast<std::size_t>(index[b])), y.cols,
                        detail::row_of(y, b));
        });
    }

    /// x_index(b) += y_b, in the order of b: each thread has a range of rows of x.
    void scatter_add(MatrixView<T const> y, std::span<std::int32_t const> index, MatrixView<T> x) {
        const std::size_t parts = static_cast<std::size_t>(threads_for(y.size()));
        parallel_for(parts, threads_, [&](std::size_t part) {
            const std::size_t begin = x.rows * part / parts, end = x.rows * (part + 1) / parts;
            for (std::size_t b = 0; b < index.size(); ++b) {
                const auto row = static_cast<std::size_t>(index[b]);
                if (begin <= row && row < end)
                    map_row(
                        y.cols, [](T& to, T from) { to += from; }, detail::row_of(x, row),
                        detail::row_of(y, b));
            }
        });
    }

    /// y_r = [y_r] + sum_c a_rc x_c for the rows r of `y_rows`, the sum over the rows c of `x_rows`;
    /// the bracket counts where r is in `held`.
    void multiply(Csr<T> const& a, MatrixView<T const> x, Rows x_rows, MatrixView<T> y, Rows y_rows,
                  Rows held) {
        const std::size_t n = y_rows.count(y.rows);
        const auto parts = static_cast<std::size_t>(threads_for(a.values.size() * x.cols));
        parallel_for(parts, threads_, [&](std::size_t part) {
            const Product product{a,
                                  x,
                                  x_rows,
                                  y,
                                  y_rows,
                                  held,
                                  boundary(a, y_rows, n, part, parts),
                                  boundary(a, y_rows, n, part + 1, parts)};
            std::size_t column = 0;
            for (; column + 64 <= x.cols; column += 64) product.template run<64>(column, 64);
            for (; column + 16 <= x.cols; column += 16) product.template run<16>(column, 16);
            if (column < x.cols) product.template run<Eigen::Dynamic>(column, x.cols - column);
        });
    }

private:
    static constexpr std::size_t rows_per_part = 256;
    static constexpr std::size_t n_lanes = 8;  // independent sums that a vector register can hold
    using Lanes = std::array<double, n_lanes>;

    [[nodiscard]] int threads_for(std::size_t work) const {
        return work < least_work_ ? 1 : threads_;
    }

    template <class View, class F>
    void for_each_row(Rows rows, View view, F f) {
        const std::size_t n = rows.count(view.rows);
        const std::size_t parts = (n + rows_per_part - 1) / rows_per_part;
        parallel_for(parts, threads_for(n * view.cols), [&](std::size_t part) {
            const std::size_t end = std::min(n, (part + 1) * rows_per_part);
            for (std::size_t k = part * rows_per_part; k < end; ++k) f(rows[k]);
        });
    }

    template <class F, class... Accessors>
    static void map_row(std::size_t cols, F f, Accessors... at) {
        for (std::size_t j = 0; j < cols; ++j) f(at[j]...);
    }

    template <class F, class... Accessors>
    static void sum_row(Lanes& total, std::size_t cols, F f, Accessors... at) {
        Lanes lanes = total;
        std::size_t j = 0;
        for (; j + n_lanes <= cols; j += n_lanes)
            for (std::size_t lane = 0; lane < n_lanes; ++lane)
                lanes[lane] += static_cast<double>(f(at[j + lane]...));
        for (; j < cols; ++j) lanes[j % n_lanes] += static_cast<double>(f(at[j]...));
        total = lanes;
    }

    static double total(Lanes const& lanes) {
        return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
               ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
    }

    // Where part `part` of the n rows begins: parts of about the same number of entries.
    static std::size_t boundary(Csr<T> const& a, Rows rows, std::size_t n, std::size_t part,
                                std::size_t parts) {
        if (!rows.is_all() || part == 0 || part == parts) return n * part / parts;
        const std::size_t target = a.values.size() * part / parts;
        const auto at = std::lower_bound(
            a.offsets.begin(), a.offsets.begin() + static_cast<std::ptrdiff_t>(n), target);
        return static_cast<std::size_t>(at - a.offsets.begin());
    }

    // The part [begin, end) of the rows of a product.
    struct Product {
        Csr<T> const& a;
        MatrixView<T const> x;
        Rows x_rows;
        MatrixView<T> y;
        Rows y_rows;
        Rows held;
        std::size_t begin, end;

        // The columns [column, column + size), a row of which fits into registers.
        template <int width>
        void run(std::size_t column, std::size_t size) const {
            if (x_rows.is_all())
                run<width, true>(column, size);
            else
                run<width, false>(column, size);
        }

        template <int width, bool every_source>
        void run(std::size_t column, std::size_t size) const {
            constexpr int widest = width == Eigen::Dynamic ? 16 : width;
            using Piece = Eigen::Array<T, width, 1, 0, widest, 1>;
            const auto n = static_cast<Eigen::Index>(size);
            for (std::size_t k = begin; k < end; ++k) {
                const std::size_t row = y_rows[k];
                Eigen::Map<Piece> to(y.data + row * y.cols + column, n);
                Piece sum(n);
                if (held.contains(row))
                    sum = to;
                else
                    sum.setZero();
                for (std::size_t at = a.offsets[row]; at < a.offsets[row + 1]; ++at) {
                    const auto from = static_cast<std::size_t>(a.columns[at]);
                    if (every_source || x_rows.contains(from))
                        sum += a.values[at] *
                               Eigen::Map<Piece const>(x.data + from * x.cols + column, n);
                }
                to = sum;
            }
        }
    };

    int threads_;
    std::size_t least_work_;
    std::vector<double> partial_;
};

}  // namespace polder::recsys
