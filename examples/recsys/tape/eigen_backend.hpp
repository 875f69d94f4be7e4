/// The tape's back end for the CPU: loops over rows, spread over threads.
///
/// Every entry of a result is computed by one thread, in an order that does not depend on how many
/// there are; sums over whole matrices are made of fixed parts added in order, in double. So results
/// are the same bit for bit on any number of threads.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
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
#include "recsys/tape/mirror.hpp"
#include "recsys/tape/pattern.hpp"
#include "recsys/tape/profile.hpp"
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
T* row_of(PerColumn<T> operand, std::size_t) {
    return operand.view.data;
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
    using System = HostMemory;  ///< where matrices lie
    using Loss = double;        ///< a scalar of the tape, as a loss

    /// Loops over fewer than `least_work` entries run on the calling thread: waking the others takes
    /// longer.
    explicit EigenBackend(int threads = default_threads(), std::size_t least_work = 500'000)
        : threads_(std::max(threads, 1)), least_work_(least_work) {}

    /// From now on loops are spread over `threads` threads.
    void set_threads(int threads) { threads_ = std::max(threads, 1); }

    /// A new evaluation of the tape begins.
    void begin_evaluation() {}

    /// The entry of a scalar.
    T read(MatrixView<T const> x) { return x.data[0]; }

    /// The same, wherever it is, and read from there.
    Loss loss(MatrixView<T const> x) { return static_cast<double>(x.data[0]); }
    static double read(Loss loss) { return loss; }

    /// x as the host can read it, until the next call.
    MatrixView<T const> on_host(MatrixView<T const> x) { return x; }

    /// A matrix on the host, where the tape can read it.
    MatrixView<T const> resident(MatrixView<T const> x, DeviceMirror const&) { return x; }

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
    /// shape is that of `first`; operands may be matrices, PerRow, PerColumn or Single.
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

    /// The same with a function of its own for every row, in one walk through memory: f(sum) returns it,
    /// where sum(g) is sum_j g(first_bj, rest_bj...) of that row.
    template <class F, class... Operands>
    void map_rows_by_sums(Rows rows, F f, MatrixView<T> first, Operands... rest) {
        for_each_row(rows, first, [&](std::size_t row) {
            auto const sum = [&](auto term) {
                Lanes lanes{};
                sum_row(lanes, first.cols, term, detail::row_of(first, row),
                        detail::row_of(rest, row)...);
                return static_cast<T>(total(lanes));
            };
            map_row(first.cols, f(sum), detail::row_of(first, row), detail::row_of(rest, row)...);
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

    /// y_b += sum_j f(first_bj, rest_bj...).
    template <class F, class First, class... Operands>
    void add_row_sum(F f, MatrixView<T> y, First first, Operands... rest) {
        for_each_row(Rows::all(), first, [&](std::size_t row) {
            Lanes lanes{};
            sum_row(lanes, first.cols, f, detail::row_of(first, row), detail::row_of(rest, row)...);
            y.data[row] += static_cast<T>(total(lanes));
        });
    }

    /// y_b = max_j x_bj.
    void row_max(MatrixView<T> y, MatrixView<T const> x) {
        for_each_row(Rows::all(), x, [&](std::size_t row) {
            y.data[row] =
                *std::max_element(detail::row_of(x, row), detail::row_of(x, row) + x.cols);
        });
    }

    /// y_j += sum_b x_bj, added in the order of the rows.
    void add_column_sum(MatrixView<T> y, MatrixView<T const> x) {
        const std::size_t parts = (x.cols + columns_per_part - 1) / columns_per_part;
        parallel_for(parts, threads_for(x.size()), [&](std::size_t part) {
            const std::size_t begin = part * columns_per_part;
            const std::size_t n = std::min(columns_per_part, x.cols - begin);
            std::array<double, columns_per_part> sums{};
            for (std::size_t row = 0; row < x.rows; ++row) {
                const T* const from = detail::row_of(x, row) + begin;
                for (std::size_t j = 0; j < n; ++j) sums[j] += static_cast<double>(from[j]);
            }
            for (std::size_t j = 0; j < n; ++j) y.data[begin + j] += static_cast<T>(sums[j]);
        });
    }

    /// y = sum_bj f(first_bj, rest_bj...), a scalar.
    template <class F, class First, class... Operands>
    void sum(F f, MatrixView<T> y, First first, Operands... rest) {
        y.data[0] = T(0);
        add_sum(f, y, first, rest...);
    }

    /// y += the same.
    template <class F, class First, class... Operands>
    void add_sum(F f, MatrixView<T> y, First first, Operands... rest) {
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
        y.data[0] += static_cast<T>(result);
    }

    /// y = x.
    void copy(MatrixView<T const> x, MatrixView<T> y) {
        map([](T& to, T from) { to = from; }, y, x);
    }

    /// y_b,to+j = x_b,from+j for 0 <= j < n.
    void copy_columns(MatrixView<T const> x, std::size_t from, MatrixView<T> y, std::size_t to,
                      std::size_t n) {
        for_each_row(Rows::all(), MatrixView<T>{y.data, y.rows, n}, [&](std::size_t row) {
            std::copy_n(detail::row_of(x, row) + from, n, detail::row_of(y, row) + to);
        });
    }

    /// y_b,to+j += x_b,from+j for 0 <= j < n.
    void add_columns(MatrixView<T const> x, std::size_t from, MatrixView<T> y, std::size_t to,
                     std::size_t n) {
        for_each_row(Rows::all(), MatrixView<T>{y.data, y.rows, n}, [&](std::size_t row) {
            map_row(
                n, [](T& sum, T term) { sum += term; }, detail::row_of(y, row) + to,
                detail::row_of(x, row) + from);
        });
    }

    /// C = [C +] op_a(A) op_b(B), the bracket where `add`. In tiles of C of a fixed size, so that the order
    /// of additions does not depend on the threads.
    void product(MatrixView<T const> a, Form form_a, MatrixView<T const> b, Form form_b,
                 MatrixView<T> c, bool add) {
        const TimedPart timed(Part::products);
        const std::size_t inner = form_a == Form::plain ? a.cols : a.rows;
        const std::size_t down = (c.rows + tile - 1) / tile, across = (c.cols + tile - 1) / tile;
        parallel_for(down * across, threads_for(c.size() * inner / 16), [&](std::size_t k) {
            auto const range = [](std::size_t part, std::size_t size) {
                const std::size_t begin = part * tile;
                return Range{begin, std::min(tile, size - begin)};
            };
            tile_product(a, form_a, b, form_b, c, range(k / across, c.rows),
                         range(k % across, c.cols), add);
        });
    }

    /// For every row b of Q: log_sum_b = log sum_z exp(s Q_b . K_z), loss_b = log_sum_b - s Q_b . K_positive(b).
    void log_sum_exp_products(MatrixView<T const> q, MatrixView<T const> k,
                              std::span<std::int32_t const> positive, T s, MatrixView<T> log_sum,
                              MatrixView<T> loss) {
        for_each_tile(q.rows, k.rows, [&](Range rows, Tile& products) {
            auto const p = scaled_products(q, rows, k, {0, k.rows}, s, products);
            for (std::size_t b = 0; b < rows.size; ++b) {
                auto const row = p.row(index(b)).array();
                const T most = row.maxCoeff();
                const T total = most + std::log((row - most).exp().sum());
                log_sum.data[rows.begin + b] = total;
                loss.data[rows.begin + b] =
                    total - row(index(static_cast<std::size_t>(positive[rows.begin + b])));
            }
        });
    }

    /// dQ_b += dy w sum_z (exp(s Q_b . K_z - log_sum_b) - [z = positive(b)]) K_z.
    void add_softmax_products(MatrixView<T const> q, MatrixView<T const> k,
                              std::span<std::int32_t const> positive, T s,
                              MatrixView<T const> log_sum, T w, Single<T const> dy,
                              MatrixView<T> dq) {
        const T factor = w * dy.view.data[0];
        for_each_tile(q.rows, k.rows, [&](Range rows, Tile& products) {
            auto p = scaled_products(q, rows, k, {0, k.rows}, s, products);
            for (std::size_t b = 0; b < rows.size; ++b) {
                auto row = p.row(index(b)).array();
                row = factor * (row - log_sum.data[rows.begin + b]).exp();
                row(index(static_cast<std::size_t>(positive[rows.begin + b]))) -= factor;
            }
            dense(dq, rows).noalias() += p * dense(k, {0, k.rows});
        });
    }

    /// dK_z += dy w sum_b (exp(s Q_b . K_z - log_sum_b) - [z = positive(b)]) Q_b.
    void add_transposed_softmax_products(MatrixView<T const> q, MatrixView<T const> k,
                                         std::span<std::int32_t const> positive, T s,
                                         MatrixView<T const> log_sum, T w, Single<T const> dy,
                                         MatrixView<T> dk) {
        const T factor = w * dy.view.data[0];
        const Eigen::Map<Eigen::Array<T, 1, Eigen::Dynamic> const> logs(log_sum.data,
                                                                        index(q.rows));
        for_each_tile(k.rows, q.rows, [&](Range rows, Tile& products) {
            auto p = scaled_products(k, rows, q, {0, q.rows}, s, products);
            for (std::size_t z = 0; z < rows.size; ++z) {
                auto row = p.row(index(z)).array();
                row = factor * (row - logs).exp();
            }
            for (std::size_t b = 0; b < q.rows; ++b) {
                auto const z = static_cast<std::size_t>(positive[b]);
                if (rows.begin <= z && z < rows.begin + rows.size)
                    p(index(z - rows.begin), index(b)) -= factor;
            }
            dense(dk, rows).noalias() += p * dense(q, {0, q.rows});
        });
    }

    /// y_r = [y_r +] sum over the entries of row r of `side` of w_entry x_end, the bracket where `add`.
    void multiply(Pattern::Side const& side, MatrixView<T const> w, MatrixView<T const> x,
                  MatrixView<T> y, bool add) {
        const TimedPart timed(Part::propagation);
        for_each_row(
            Rows::all(), y,
            [&](std::size_t row) {
                T* const to = detail::row_of(y, row);
                if (!add) std::fill_n(to, y.cols, T(0));
                for (std::size_t k = side.offsets[row]; k < side.offsets[row + 1]; ++k) {
                    const T weight = w.data[side.entry[k]];
                    map_row(
                        y.cols, [weight](T& sum, T in) { sum += weight * in; }, to,
                        detail::row_of(x, static_cast<std::size_t>(side.ends[k])));
                }
            },
            side.ends.size() * x.cols);
    }

    /// w_e += a_row(e) . c_end(e) for every entry of `side`.
    void add_products(Pattern::Side const& side, MatrixView<T const> a, MatrixView<T const> c,
                      MatrixView<T> w) {
        const TimedPart timed(Part::propagation);
        for_each_row(
            Rows::all(), a,
            [&](std::size_t row) {
                for (std::size_t k = side.offsets[row]; k < side.offsets[row + 1]; ++k) {
                    Lanes lanes{};
                    sum_row(
                        lanes, a.cols, [](T ai, T ci) { return ai * ci; }, detail::row_of(a, row),
                        detail::row_of(c, static_cast<std::size_t>(side.ends[k])));
                    w.data[side.entry[k]] += static_cast<T>(total(lanes));
                }
            },
            side.ends.size() * a.cols);
    }

    /// In every segment [offsets[r], offsets[r + 1]) of a side: y = exp(x - max) / (sum of exp(x - max) + guard).
    void segment_softmax(Pattern::Side const& side, T guard, MatrixView<T const> x,
                         MatrixView<T> y) {
        for_each_segment(side.offsets, [&](std::size_t, std::size_t begin, std::size_t end) {
            if (begin == end) return;
            const T most = *std::max_element(x.data + begin, x.data + end);
            double sum = 0;
            for (std::size_t k = begin; k < end; ++k) {
                y.data[k] = std::exp(x.data[k] - most);
                sum += static_cast<double>(y.data[k]);
            }
            const T divisor = static_cast<T>(sum) + guard;
            for (std::size_t k = begin; k < end; ++k) y.data[k] /= divisor;
        });
    }

    /// dx += y (dy - sum over the segment of dy y).
    void add_segment_softmax_gradient(Pattern::Side const& side, MatrixView<T const> y,
                                      MatrixView<T const> dy, MatrixView<T> dx) {
        for_each_segment(side.offsets, [&](std::size_t, std::size_t begin, std::size_t end) {
            double dot = 0;
            for (std::size_t k = begin; k < end; ++k)
                dot += static_cast<double>(dy.data[k]) * static_cast<double>(y.data[k]);
            for (std::size_t k = begin; k < end; ++k)
                dx.data[k] += y.data[k] * (dy.data[k] - static_cast<T>(dot));
        });
    }

    /// y_r = sum over segment r of x.
    void segment_sum(Pattern::Side const& side, MatrixView<T const> x, MatrixView<T> y) {
        for_each_segment(side.offsets, [&](std::size_t row, std::size_t begin, std::size_t end) {
            double sum = 0;
            for (std::size_t k = begin; k < end; ++k) sum += static_cast<double>(x.data[k]);
            y.data[row] = static_cast<T>(sum);
        });
    }

    /// f(x_k, y_r) for every k of segment r.
    template <class F>
    void scatter_segments(Pattern::Side const& side, F f, MatrixView<T> x, MatrixView<T const> y) {
        for_each_segment(side.offsets, [&](std::size_t row, std::size_t begin, std::size_t end) {
            for (std::size_t k = begin; k < end; ++k) f(x.data[k], y.data[row]);
        });
    }

    /// y_b = x_index(b).
    void gather(MatrixView<T const> x, std::span<std::int32_t const> index, MatrixView<T> y) {
        const TimedPart timed(Part::gather);
        for_each_row(Rows::all(), y, [&](std::size_t b) {
            std::copy_n(detail::row_of(x, static_cast<std::size_t>(index[b])), y.cols,
                        detail::row_of(y, b));
        });
    }

    /// y_b += x_index(b).
    void gather_add(MatrixView<T const> x, std::span<std::int32_t const> index, MatrixView<T> y) {
        const TimedPart timed(Part::gather);
        for_each_row(Rows::all(), y, [&](std::size_t b) {
            map_row(
                y.cols, [](T& to, T from) { to += from; }, detail::row_of(y, b),
                detail::row_of(x, static_cast<std::size_t>(index[b])));
        });
    }

    /// x_index(b) += y_b, in the order of b: each thread has a range of rows of x.
    void scatter_add(MatrixView<T const> y, std::span<std::int32_t const> index, MatrixView<T> x) {
        const TimedPart timed(Part::gather);
        const std::size_t parts = static_cast<std::size_t>(threads_for(y.size()));
        parallel_for(parts, threads_, [&](std::size_t part) {
            const std::size_t begin = x.rows * part / parts, end = x.rows * (part + 1) / parts;
            for (std::size_t b = 0; b < index.size(); ++b) {
                auto const row = static_cast<std::size_t>(index[b]);
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
        const TimedPart timed(Part::propagation);
        const std::size_t n = y_rows.count(y.rows);
        auto const parts = static_cast<std::size_t>(threads_for(a.values.size() * x.cols));
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
    static constexpr std::size_t columns_per_part = 64;
    static constexpr std::size_t tile = 256;      // rows and columns of a product in one piece
    static constexpr std::size_t tile_rows = 64;  // of products that are used and thrown away
    static constexpr std::size_t n_lanes = 8;  // independent sums that a vector register can hold
    using Lanes = std::array<double, n_lanes>;

    int threads_for(std::size_t work) const { return work < least_work_ ? 1 : threads_; }

    template <class View, class F>
    void for_each_row(Rows rows, View view, F f) {
        for_each_row(rows, view, f, rows.count(view.rows) * view.cols);
    }

    template <class View, class F>
    void for_each_row(Rows rows, View view, F f, std::size_t work) {
        const std::size_t n = rows.count(view.rows);
        const std::size_t parts = (n + rows_per_part - 1) / rows_per_part;
        parallel_for(parts, threads_for(work), [&](std::size_t part) {
            const std::size_t end = std::min(n, (part + 1) * rows_per_part);
            for (std::size_t k = part * rows_per_part; k < end; ++k) f(rows[k]);
        });
    }

    template <class F>
    void for_each_segment(std::vector<std::size_t> const& offsets, F f) {
        for_each_row(
            Rows::all(), MatrixView<T>{nullptr, offsets.size() - 1, 1},
            [&](std::size_t row) { f(row, offsets[row], offsets[row + 1]); }, offsets.back());
    }

    using Dense = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    using Tile = AlignedBuffer<T>;
    struct Range {
        std::size_t begin, size;
    };

    static Eigen::Index index(std::size_t k) { return static_cast<Eigen::Index>(k); }

    static Eigen::Map<Dense const> dense(MatrixView<T const> x, Range rows) {
        return {x.data + rows.begin * x.cols, index(rows.size), index(x.cols)};
    }
    static Eigen::Map<Dense> dense(MatrixView<T> x, Range rows) {
        return {x.data + rows.begin * x.cols, index(rows.size), index(x.cols)};
    }

    static void tile_product(MatrixView<T const> a, Form form_a, MatrixView<T const> b, Form form_b,
                             MatrixView<T> c, Range rows, Range cols, bool add) {
        auto const of = [](auto const& product, auto&& to, bool add_to) {
            if (add_to)
                to.noalias() += product;
            else
                to.noalias() = product;
        };
        auto const whole_a = dense(a, {0, a.rows}), whole_b = dense(b, {0, b.rows});
        auto to = dense(c, rows).middleCols(index(cols.begin), index(cols.size));
        auto const r0 = index(rows.begin), r = index(rows.size);
        auto const c0 = index(cols.begin), n = index(cols.size);
        if (form_a == Form::plain && form_b == Form::plain)
            of(whole_a.middleRows(r0, r) * whole_b.middleCols(c0, n), to, add);
        else if (form_a == Form::plain)
            of(whole_a.middleRows(r0, r) * whole_b.middleRows(c0, n).transpose(), to, add);
        else if (form_b == Form::plain)
            of(whole_a.middleCols(r0, r).transpose() * whole_b.middleCols(c0, n), to, add);
        else
            of(whole_a.middleCols(r0, r).transpose() * whole_b.middleRows(c0, n).transpose(), to,
               add);
    }

    // f(rows, memory) for pieces of n rows, each on one thread with memory for tile_rows x cols products.
    template <class F>
    void for_each_tile(std::size_t n, std::size_t cols, F f) {
        const std::size_t parts = (n + tile_rows - 1) / tile_rows;
        auto const workers =
            static_cast<std::size_t>(std::min(threads_for(n * cols), static_cast<int>(parts)));
        tiles_.resize(std::max(tiles_.size(), workers));
        parallel_for(workers, threads_, [&](std::size_t worker) {
            tiles_[worker].reserve(tile_rows * cols);
            for (std::size_t part = worker; part < parts; part += workers) {
                const std::size_t begin = part * tile_rows;
                f(Range{begin, std::min(tile_rows, n - begin)}, tiles_[worker]);
            }
        });
    }

    // s A_rows B_cols^T in the memory of `products`.
    static Eigen::Map<Dense> scaled_products(MatrixView<T const> a, Range rows,
                                             MatrixView<T const> b, Range cols, T s,
                                             Tile& products) {
        Eigen::Map<Dense> p(products.data(), index(rows.size), index(cols.size));
        p.noalias() = s * dense(a, rows) * dense(b, cols).transpose();
        return p;
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
        auto const at = std::lower_bound(
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
            auto const n = static_cast<Eigen::Index>(size);
            for (std::size_t k = begin; k < end; ++k) {
                const std::size_t row = y_rows[k];
                Eigen::Map<Piece> to(y.data + row * y.cols + column, n);
                Piece sum(n);
                if (held.contains(row))
                    sum = to;
                else
                    sum.setZero();
                for (std::size_t at = a.offsets[row]; at < a.offsets[row + 1]; ++at) {
                    auto const from = static_cast<std::size_t>(a.columns[at]);
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
    std::vector<Tile> tiles_;
};

}  // namespace polder::recsys
