/// The loops of the tape's back end for devices, as bodies of passes (polder/device/passes.hpp).
///
/// Loops over entries are spread over all threads of a team. Loops over rows give each row to a group of
/// threads, which is a warp on CUDA and the one thread that there is on the processor:
///
///     group.for_each(n, f)    f(0), ..., f(n - 1), each in one thread, always the same one
///     group.sum(value)        of the values of all threads, in a fixed order, known to all of them
///     group.max(value)
///     group.wait()            until all of them are here, and see what the others have written
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <tuple>

#include <polder/blocks/arena.hpp>
#include <polder/config.hpp>

#include "recsys/tape/broadcast.hpp"

namespace polder::recsys::detail {

/// Groups of threads in a team. Specialised where a team has more than one thread.
template <class Team>
struct GroupOf {
    static constexpr std::size_t count = 1;
    POLDER_HOST_DEVICE static std::size_t index() { return 0; }

    template <class F>
    POLDER_HOST_DEVICE static void for_each(std::size_t n, F const& f) {
        for (std::size_t k = 0; k < n; ++k) f(k);
    }
    POLDER_HOST_DEVICE static double sum(double value) { return value; }
    POLDER_HOST_DEVICE static double max(double value) { return value; }
    POLDER_HOST_DEVICE static void wait() {}
};

inline constexpr std::size_t entries_per_task = 1024;
inline constexpr std::size_t terms_per_task = 4096;
inline constexpr std::size_t rows_per_task = 8;
inline constexpr std::size_t rows_per_part = 256;  // of sums over columns

POLDER_HOST_DEVICE inline std::size_t least(std::size_t a, std::size_t b) { return a < b ? a : b; }

// Operands, by the number of an entry (row * cols + col), its row and its column.

template <class T>
POLDER_HOST_DEVICE T& entry_of(MatrixView<T> x, std::size_t entry, std::size_t, std::size_t) {
    return x.data[entry];
}
template <class T>
POLDER_HOST_DEVICE T& entry_of(PerRow<T> x, std::size_t, std::size_t row, std::size_t) {
    return x.view.data[row];
}
template <class T>
POLDER_HOST_DEVICE T& entry_of(PerColumn<T> x, std::size_t, std::size_t, std::size_t col) {
    return x.view.data[col];
}
template <class T>
POLDER_HOST_DEVICE T& entry_of(Single<T> x, std::size_t, std::size_t, std::size_t) {
    return x.view.data[0];
}

/// The columns of `view` from `first` on.
template <class T>
struct ColumnsFrom {
    MatrixView<T> view;
    std::size_t first;
};
template <class T>
POLDER_HOST_DEVICE T& entry_of(ColumnsFrom<T> x, std::size_t, std::size_t row, std::size_t col) {
    return x.view.data[row * x.view.cols + x.first + col];
}

/// The row index[b] of `view` in the place of row b.
template <class T>
struct RowsAt {
    MatrixView<T> view;
    std::int32_t const* index;
};
template <class T>
POLDER_HOST_DEVICE T& entry_of(RowsAt<T> x, std::size_t, std::size_t row, std::size_t col) {
    return x.view.data[static_cast<std::size_t>(x.index[row]) * x.view.cols + col];
}

struct RowNumber {};
POLDER_HOST_DEVICE inline std::size_t entry_of(RowNumber, std::size_t, std::size_t row,
                                               std::size_t) {
    return row;
}

/// Rows on the device: all where both are null, else a set.
struct RowsThere {
    std::int32_t const* members = nullptr;
    std::uint8_t const* flags = nullptr;
    bool none = false;

    POLDER_HOST_DEVICE std::size_t operator[](std::size_t k) const {
        return members == nullptr ? k : static_cast<std::size_t>(members[k]);
    }
    POLDER_HOST_DEVICE bool contains(std::size_t row) const {
        return !none && (flags == nullptr || flags[row] != 0);
    }
};

struct Assign {
    template <class A, class B>
    POLDER_HOST_DEVICE void operator()(A& to, B from) const {
        to = from;
    }
};
struct Add {
    template <class A, class B>
    POLDER_HOST_DEVICE void operator()(A& to, B from) const {
        to += from;
    }
    POLDER_HOST_DEVICE static double fold(double a, double b) { return a + b; }
};
template <class T>
struct Become {
    T value;
    POLDER_HOST_DEVICE void operator()(T& to) const { to = value; }
};
template <class T>
struct BecomeExcept {
    T value;
    RowsThere rows;
    POLDER_HOST_DEVICE void operator()(T& to, std::size_t row) const {
        if (!rows.contains(row)) to = value;
    }
};

/// f(entries of the operands...) for all n entries of a matrix of `cols` columns.
template <class F, class... Operands>
struct MapBody {
    F f;
    std::size_t n, cols;
    std::tuple<Operands...> operands;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team, std::size_t first, std::size_t step,
                                       std::size_t tasks) const {
        for (std::size_t task = first; task < tasks; task += step) {
            const std::size_t begin = task * entries_per_task;
            team.for_each(least(entries_per_task, n - begin), [&](std::size_t i) {
                const std::size_t entry = begin + i, row = entry / cols, col = entry - row * cols;
                std::apply([&](auto const&... x) { f(entry_of(x, entry, row, col)...); }, operands);
            });
        }
    }
};

/// The same for the n entries of the rows of a set.
template <class F, class... Operands>
struct MapRowsBody {
    F f;
    std::size_t n, cols;
    RowsThere rows;
    std::tuple<Operands...> operands;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team, std::size_t first, std::size_t step,
                                       std::size_t tasks) const {
        for (std::size_t task = first; task < tasks; task += step) {
            const std::size_t begin = task * entries_per_task;
            team.for_each(least(entries_per_task, n - begin), [&](std::size_t i) {
                const std::size_t k = (begin + i) / cols, col = begin + i - k * cols;
                const std::size_t row = rows[k], entry = row * cols + col;
                std::apply([&](auto const&... x) { f(entry_of(x, entry, row, col)...); }, operands);
            });
        }
    }
};

/// partial[task] = the sum of f(entries of the operands...) over the entries of a task.
template <class F, class... Operands>
struct SumBody {
    F f;
    std::size_t n, cols;
    double* partial;
    std::tuple<Operands...> operands;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team, std::size_t first, std::size_t step,
                                       std::size_t tasks) const {
        for (std::size_t task = first; task < tasks; task += step) {
            const std::size_t begin = task * terms_per_task;
            double sum = 0;
            team.for_each(least(terms_per_task, n - begin), [&](std::size_t i) {
                const std::size_t entry = begin + i, row = entry / cols, col = entry - row * cols;
                sum += static_cast<double>(
                    std::apply([&](auto const&... x) { return f(entry_of(x, entry, row, col)...); },
                               operands));
            });
            sum = team.template combine<Add>(sum);
            team.once([&] { partial[task] = sum; });
        }
    }
};

/// y = [y +] the sum of all parts.
template <class T>
struct SumTail {
    double const* partial;
    std::size_t parts;
    T* y;
    bool add;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        double sum = 0;
        team.for_each(parts, [&](std::size_t part) { sum += partial[part]; });
        sum = team.template combine<Add>(sum);
        team.once([&] { *y = (add ? *y : T(0)) + static_cast<T>(sum); });
    }
};

/// partial[task, j] = the sum over the rows of a task of x_bj.
template <class T>
struct ColumnSumBody {
    MatrixView<T const> x;
    double* partial;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team, std::size_t first, std::size_t step,
                                       std::size_t tasks) const {
        for (std::size_t task = first; task < tasks; task += step) {
            const std::size_t end = least(x.rows, (task + 1) * rows_per_part);
            team.for_each(x.cols, [&](std::size_t j) {
                double sum = 0;
                for (std::size_t row = task * rows_per_part; row < end; ++row)
                    sum += static_cast<double>(x.data[row * x.cols + j]);
                partial[task * x.cols + j] = sum;
            });
        }
    }
};

template <class T>
struct ColumnSumTail {
    double const* partial;
    std::size_t parts, cols;
    T* y;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        team.for_each(cols, [&](std::size_t j) {
            double sum = 0;
            for (std::size_t part = 0; part < parts; ++part) sum += partial[part * cols + j];
            y[j] += static_cast<T>(sum);
        });
    }
};

/// row(group, k) for k < n, each in one group.
template <class Row>
struct RowsBody {
    Row row;
    std::size_t n;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team&, std::size_t first, std::size_t step,
                                       std::size_t tasks) const {
        using Group = GroupOf<Team>;
        for (std::size_t task = first; task < tasks; task += step) {
            const std::size_t end = least(n, (task + 1) * rows_per_task);
            for (std::size_t k = task * rows_per_task + Group::index(); k < end; k += Group::count)
                row(Group(), k);
        }
    }
};

// What RowsBody does in a row.

template <class Operands>
struct OperandsOfRow {
    Operands const& operands;
    std::size_t row, cols;

    template <class F>
    POLDER_HOST_DEVICE decltype(auto) operator()(F const& f, std::size_t col) const {
        const std::size_t entry = row * cols + col;
        return std::apply(
            [&](auto const&... x) -> decltype(auto) { return f(entry_of(x, entry, row, col)...); },
            operands);
    }
};

// sum(g) is the sum of g(entries...) over a row.
template <class T, class Group, class Operands>
struct SumOverRow {
    OperandsOfRow<Operands> const& at;

    template <class G>
    POLDER_HOST_DEVICE T operator()(G const& g) const {
        double sum = 0;
        Group::for_each(at.cols, [&](std::size_t j) { sum += static_cast<double>(at(g, j)); });
        return static_cast<T>(Group::sum(sum));
    }
};

/// y_k = [y_k +] the sum over row k of f(entries...).
template <class T, class F, class... Operands>
struct RowSum {
    F f;
    std::size_t cols;
    T* y;
    bool add;
    std::tuple<Operands...> operands;

    template <class Group>
    POLDER_HOST_DEVICE void operator()(Group group, std::size_t k) const {
        const OperandsOfRow<std::tuple<Operands...>> at{operands, k, cols};
        const T sum = SumOverRow<T, Group, std::tuple<Operands...>>{at}(f);
        group.for_each(1, [&](std::size_t) { y[k] = (add ? y[k] : T(0)) + sum; });
    }
};

/// The function that f makes of the sums of a row, for its entries.
template <class T, class F, class... Operands>
struct MapBySums {
    F f;
    std::size_t cols;
    RowsThere rows;
    std::tuple<Operands...> operands;

    template <class Group>
    POLDER_HOST_DEVICE void operator()(Group group, std::size_t k) const {
        const OperandsOfRow<std::tuple<Operands...>> at{operands, rows[k], cols};
        auto const function = f(SumOverRow<T, Group, std::tuple<Operands...>>{at});
        group.for_each(cols, [&](std::size_t j) { at(function, j); });
    }
};

template <class T>
struct RowMax {
    MatrixView<T const> x;
    T* y;

    template <class Group>
    POLDER_HOST_DEVICE void operator()(Group group, std::size_t k) const {
        double most = -std::numeric_limits<double>::infinity();
        group.for_each(x.cols, [&](std::size_t j) {
            most = std::max(most, static_cast<double>(x.data[k * x.cols + j]));
        });
        most = group.max(most);
        group.for_each(1, [&](std::size_t) { y[k] = static_cast<T>(most); });
    }
};

/// x_row += y_b for the b of each row, in their order.
template <class T>
struct AddToRow {
    MatrixView<T const> y;
    std::int32_t const *rows, *offsets, *order;  // rows that occur, and where each has its b
    T* x;

    template <class Group>
    POLDER_HOST_DEVICE void operator()(Group group, std::size_t k) const {
        T* const to = x + static_cast<std::size_t>(rows[k]) * y.cols;
        group.for_each(y.cols, [&](std::size_t j) {
            T sum = to[j];
            for (std::int32_t at = offsets[k]; at < offsets[k + 1]; ++at)
                sum += y.data[static_cast<std::size_t>(order[at]) * y.cols + j];
            to[j] = sum;
        });
    }
};

/// A row of a sparse product, the entries e of which are values[e] or, with `entry`, values[entry[e]].
template <class T>
struct SparseRow {
    std::int32_t const *offsets, *columns, *entry;
    T const* values;
    MatrixView<T const> x;
    RowsThere x_rows;
    MatrixView<T> y;
    RowsThere y_rows, held;

    template <class Group>
    POLDER_HOST_DEVICE void operator()(Group group, std::size_t k) const {
        const std::size_t row = y_rows[k];
        T* const to = y.data + row * y.cols;
        const bool is_held = held.contains(row);
        group.for_each(y.cols, [&](std::size_t j) {
            T sum = is_held ? to[j] : T(0);
            for (std::int32_t e = offsets[row]; e < offsets[row + 1]; ++e) {
                auto const from = static_cast<std::size_t>(columns[e]);
                if (!x_rows.contains(from)) continue;
                const T value = values[entry == nullptr ? e : entry[e]];
                sum += value * x.data[from * x.cols + j];
            }
            to[j] = sum;
        });
    }
};

/// w_e += a_row . c_end for the entries of a row.
template <class T>
struct ProductsOfRow {
    std::int32_t const *offsets, *ends, *entry;
    MatrixView<T const> a, c;
    T* w;

    template <class Group>
    POLDER_HOST_DEVICE void operator()(Group group, std::size_t row) const {
        for (std::int32_t e = offsets[row]; e < offsets[row + 1]; ++e) {
            T const* const left = a.data + row * a.cols;
            T const* const right = c.data + static_cast<std::size_t>(ends[e]) * c.cols;
            double sum = 0;
            group.for_each(a.cols,
                           [&](std::size_t j) { sum += static_cast<double>(left[j] * right[j]); });
            sum = group.sum(sum);
            group.for_each(1, [&](std::size_t) { w[entry[e]] += static_cast<T>(sum); });
        }
    }
};

// Segments [offsets[k], offsets[k + 1]) of columns of entries.
struct Segments {
    std::int32_t const* offsets;

    POLDER_HOST_DEVICE std::size_t begin(std::size_t k) const {
        return static_cast<std::size_t>(offsets[k]);
    }
    POLDER_HOST_DEVICE std::size_t size(std::size_t k) const {
        return static_cast<std::size_t>(offsets[k + 1] - offsets[k]);
    }
};

template <class T>
struct SegmentSoftmax {
    Segments segments;
    T guard;
    T const* x;
    T* y;

    template <class Group>
    POLDER_HOST_DEVICE void operator()(Group group, std::size_t k) const {
        const std::size_t begin = segments.begin(k), n = segments.size(k);
        double most = -std::numeric_limits<double>::infinity();
        group.for_each(
            n, [&](std::size_t i) { most = std::max(most, static_cast<double>(x[begin + i])); });
        most = group.max(most);
        double sum = 0;
        group.for_each(n, [&](std::size_t i) {
            y[begin + i] = std::exp(x[begin + i] - static_cast<T>(most));
            sum += static_cast<double>(y[begin + i]);
        });
        const T divisor = static_cast<T>(group.sum(sum)) + guard;
        group.for_each(n, [&](std::size_t i) { y[begin + i] /= divisor; });
    }
};

template <class T>
struct SegmentSoftmaxGradient {
    Segments segments;
    T const *y, *dy;
    T* dx;

    template <class Group>
    POLDER_HOST_DEVICE void operator()(Group group, std::size_t k) const {
        const std::size_t begin = segments.begin(k), n = segments.size(k);
        double dot = 0;
        group.for_each(n, [&](std::size_t i) {
            dot += static_cast<double>(dy[begin + i]) * static_cast<double>(y[begin + i]);
        });
        const T total = static_cast<T>(group.sum(dot));
        group.for_each(
            n, [&](std::size_t i) { dx[begin + i] += y[begin + i] * (dy[begin + i] - total); });
    }
};

template <class T>
struct SegmentSum {
    Segments segments;
    T const* x;
    T* y;

    template <class Group>
    POLDER_HOST_DEVICE void operator()(Group group, std::size_t k) const {
        const std::size_t begin = segments.begin(k);
        double sum = 0;
        group.for_each(segments.size(k),
                       [&](std::size_t i) { sum += static_cast<double>(x[begin + i]); });
        sum = group.sum(sum);
        group.for_each(1, [&](std::size_t) { y[k] = static_cast<T>(sum); });
    }
};

template <class T, class F>
struct ScatterSegment {
    Segments segments;
    F f;
    T* x;
    T const* y;

    template <class Group>
    POLDER_HOST_DEVICE void operator()(Group group, std::size_t k) const {
        const std::size_t begin = segments.begin(k);
        group.for_each(segments.size(k), [&](std::size_t i) { f(x[begin + i], y[k]); });
    }
};

/// Of a row p of products: log_sum = log sum_z exp(s p_z), loss = log_sum - s p_positive.
template <class T>
struct LogSumExp {
    MatrixView<T const> p;
    std::int32_t const* positive;
    T s;
    T *log_sum, *loss;

    template <class Group>
    POLDER_HOST_DEVICE void operator()(Group group, std::size_t k) const {
        T const* const row = p.data + k * p.cols;
        double most = -std::numeric_limits<double>::infinity();
        group.for_each(
            p.cols, [&](std::size_t z) { most = std::max(most, static_cast<double>(s * row[z])); });
        most = group.max(most);
        double sum = 0;
        group.for_each(p.cols, [&](std::size_t z) {
            sum += static_cast<double>(std::exp(s * row[z] - static_cast<T>(most)));
        });
        const T total = static_cast<T>(most) + static_cast<T>(std::log(group.sum(sum)));
        group.for_each(1, [&](std::size_t) {
            log_sum[k] = total;
            loss[k] = total - s * row[positive[k]];
        });
    }
};

/// p_z becomes w dy (exp(s p_z) / sum_y exp(s p_y) - [z = positive]). The sum is taken anew: its logarithm, as the
/// forward pass has it, is rounded to T, which all entries of the row would be off by.
template <class T>
struct SoftmaxLessPositive {
    MatrixView<T> p;
    std::int32_t const* positive;
    T s, w;
    T const* dy;

    template <class Group>
    POLDER_HOST_DEVICE void operator()(Group group, std::size_t k) const {
        T* const row = p.data + k * p.cols;
        const T most = largest(group, row);
        double sum = 0;
        group.for_each(p.cols, [&](std::size_t z) {
            row[z] = std::exp(s * row[z] - most);
            sum += static_cast<double>(row[z]);
        });
        const double share = 1 / group.sum(sum);
        const T factor = w * *dy;
        auto const one = static_cast<std::size_t>(positive[k]);
        group.for_each(p.cols, [&](std::size_t z) {
            const double less = z == one ? 1 : 0;
            row[z] = factor * static_cast<T>(static_cast<double>(row[z]) * share - less);
        });
    }

    template <class Group>
    POLDER_HOST_DEVICE T largest(Group group, T const* row) const {
        double most = -std::numeric_limits<double>::infinity();
        group.for_each(
            p.cols, [&](std::size_t z) { most = std::max(most, static_cast<double>(s * row[z])); });
        return static_cast<T>(group.max(most));
    }
};

/// A row of C = [C +] op_a(A) op_b(B).
template <class T>
struct ProductRow {
    MatrixView<T const> a, b;
    bool a_is_transposed, b_is_transposed;
    MatrixView<T> c;
    bool add;

    template <class Group>
    POLDER_HOST_DEVICE void operator()(Group group, std::size_t row) const {
        const std::size_t inner = a_is_transposed ? a.rows : a.cols;
        group.for_each(c.cols, [&](std::size_t col) {
            T sum = 0;
            for (std::size_t k = 0; k < inner; ++k)
                sum += a.data[a_is_transposed ? k * a.cols + row : row * a.cols + k] *
                       b.data[b_is_transposed ? col * b.cols + k : k * b.cols + col];
            T& to = c.data[row * c.cols + col];
            to = add ? to + sum : sum;
        });
    }
};

/// to[k] = draw(k).
template <class T, class Draw>
struct DrawBody {
    Draw draw;
    std::size_t n;
    T* to;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team, std::size_t first, std::size_t step,
                                       std::size_t tasks) const {
        for (std::size_t task = first; task < tasks; task += step) {
            const std::size_t begin = task * entries_per_task;
            team.for_each(least(entries_per_task, n - begin),
                          [&](std::size_t i) { to[begin + i] = draw(begin + i); });
        }
    }
};

}  // namespace polder::recsys::detail
