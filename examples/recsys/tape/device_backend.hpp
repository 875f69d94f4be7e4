/// The tape's back end for devices: a GPU, or the processor in its place (polder/device/memory.hpp).
///
/// Matrices of the tape lie on the device; so do the parameters and gradients that it is given. What operations
/// are told by the host (lists of rows, sparse matrices, sets of rows, HostMatrix) is sent there when it is first
/// used. Nobody waits but read(), on_host() and what asks for them.
///
/// Every entry of a result is computed by one thread or one group of threads in a fixed order, and sums over
/// whole matrices are made of fixed parts added in order, in double: results are the same from run to run.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <polder/blocks/arena.hpp>
#include <polder/closure/device_report.hpp>
#include <polder/device/memory.hpp>
#include <polder/device/passes.hpp>

#include "recsys/tape/broadcast.hpp"
#include "recsys/tape/csr.hpp"
#include "recsys/tape/device_loops.hpp"
#include "recsys/tape/device_memory.hpp"
#include "recsys/tape/mirror.hpp"
#include "recsys/tape/pattern.hpp"
#include "recsys/tape/profile.hpp"
#include "recsys/tape/rows.hpp"

namespace polder::recsys {

namespace detail {

/// What a device has libraries for; here it has none. Specialised for CUDA (tape/cuda_backend.hpp).
template <class System>
struct Libraries {
    template <class T>
    void product(System& system, MatrixView<T const> a, Form form_a, MatrixView<T const> b,
                 Form form_b, MatrixView<T> c, bool add, unsigned* ticket) {
        using Body = RowsBody<ProductRow<T>>;
        system.run(
            (c.rows + rows_per_task - 1) / rows_per_task,
            Body{{a, b, form_a == Form::transposed, form_b == Form::transposed, c, add}, c.rows},
            polder::detail::NoEnd{}, ticket);
    }

    /// Y = [Y +] A X of all rows, or false where there is no library for it.
    template <class T>
    bool sparse_product(System&, Csr<T> const&, CsrThere<T, System> const&, MatrixView<T const>,
                        MatrixView<T>, bool) {
        return false;
    }
};

}  // namespace detail

/// T: float or double. The interface is that of EigenBackend.
template <class T, class System_>
class DeviceBackend {
public:
    using Scalar = T;
    using System = System_;
    using Buffer = DeviceBuffer<T, System>;
    using Sparse = Csr<T>;
    using Loss = DeviceLoss;

    /// Threads are the System's business.
    explicit DeviceBackend([[maybe_unused]] int threads = 1) {}
    void set_threads(int) {}

    /// A new evaluation begins: lists of rows may have other entries.
    void begin_evaluation() { indices_.begin_evaluation(); }

    /// The entry of a scalar. Waits for the device.
    T read(MatrixView<T const> x) {
        T value;
        System::read(&value, x.data, sizeof value);
        return value;
    }

    /// The same, left there.
    Loss loss(MatrixView<T const> x) { return Loss(x.data); }
    static double read(Loss loss) {
        if (loss.at() == nullptr) return 0;
        T value;
        System::read(&value, loss.at(), sizeof value);
        return static_cast<double>(value);
    }

    /// A copy of x on the host, until the next call. Waits for the device.
    MatrixView<T const> on_host(MatrixView<T const> x) {
        on_host_.resize(x.size());
        if (x.size() > 0) System::read(on_host_.data(), x.data, x.size() * sizeof(T));
        return {on_host_.data(), x.rows, x.cols};
    }

    /// The copy there of a matrix on the host.
    MatrixView<T const> resident(MatrixView<T const> x, DeviceMirror const& mirror) {
        Buffer const& copy =
            mirror.get<Buffer>([&](Buffer& to) { to.send(system_, std::span(x.data, x.size())); });
        return {copy.data(), x.rows, x.cols};
    }

    void fill(MatrixView<T> x, Rows rows, T value) { map_rows(rows, detail::Become<T>{value}, x); }

    void fill_except(MatrixView<T> x, Rows rows, T value) {
        map(detail::BecomeExcept<T>{value, there(rows)}, x, detail::RowNumber{});
    }

    template <class F, class... Operands>
    void map(F f, MatrixView<T> first, Operands... rest) {
        map_entries(f, first.size(), first.cols, first, rest...);
    }

    template <class F, class... Operands>
    void map_rows(Rows rows, F f, MatrixView<T> first, Operands... rest) {
        if (rows.is_all()) return map(f, first, rest...);
        const std::size_t n = rows.count(first.rows) * first.cols;
        if (n == 0) return;
        using Body = detail::MapRowsBody<F, MatrixView<T>, Operands...>;
        run(tasks(n, detail::entries_per_task),
            Body{f, n, first.cols, there(rows), {first, rest...}});
    }

    template <class F, class... Operands>
    void map_rows_by_sums(Rows rows, F f, MatrixView<T> first, Operands... rest) {
        using Row = detail::MapBySums<T, F, MatrixView<T>, Operands...>;
        for_rows(rows.count(first.rows), Row{f, first.cols, there(rows), {first, rest...}});
    }

    template <class F, class First, class... Operands>
    void row_sum(F f, MatrixView<T> y, First first, Operands... rest) {
        using Row = detail::RowSum<T, F, First, Operands...>;
        for_rows(first.rows, Row{f, first.cols, y.data, false, {first, rest...}});
    }

    template <class F, class First, class... Operands>
    void add_row_sum(F f, MatrixView<T> y, First first, Operands... rest) {
        using Row = detail::RowSum<T, F, First, Operands...>;
        for_rows(first.rows, Row{f, first.cols, y.data, true, {first, rest...}});
    }

    void row_max(MatrixView<T> y, MatrixView<T const> x) {
        for_rows(x.rows, detail::RowMax<T>{x, y.data});
    }

    void add_column_sum(MatrixView<T> y, MatrixView<T const> x) {
        const std::size_t parts = tasks(x.rows, detail::rows_per_part);
        double* const partial = partial_.reserve(parts * x.cols);
        run(parts, detail::ColumnSumBody<T>{x, partial},
            detail::ColumnSumTail<T>{partial, parts, x.cols, y.data});
    }

    template <class F, class First, class... Operands>
    void sum(F f, MatrixView<T> y, First first, Operands... rest) {
        sum_entries(false, f, y, first, rest...);
    }
    template <class F, class First, class... Operands>
    void add_sum(F f, MatrixView<T> y, First first, Operands... rest) {
        sum_entries(true, f, y, first, rest...);
    }

    void copy(MatrixView<T const> x, MatrixView<T> y) { map(detail::Assign{}, y, x); }

    void copy_columns(MatrixView<T const> x, std::size_t from, MatrixView<T> y, std::size_t to,
                      std::size_t n) {
        map_entries(detail::Assign{}, y.rows * n, n, detail::ColumnsFrom<T>{y, to},
                    detail::ColumnsFrom<T const>{x, from});
    }

    void add_columns(MatrixView<T const> x, std::size_t from, MatrixView<T> y, std::size_t to,
                     std::size_t n) {
        map_entries(detail::Add{}, y.rows * n, n, detail::ColumnsFrom<T>{y, to},
                    detail::ColumnsFrom<T const>{x, from});
    }

    void product(MatrixView<T const> a, Form form_a, MatrixView<T const> b, Form form_b,
                 MatrixView<T> c, bool add) {
        if (c.size() > 0) libraries_.product(system_, a, form_a, b, form_b, c, add, ticket_.data());
    }

    void log_sum_exp_products(MatrixView<T const> q, MatrixView<T const> k,
                              std::span<std::int32_t const> positive, T s, MatrixView<T> log_sum,
                              MatrixView<T> loss) {
        std::int32_t const* const one = index(positive).there.data();
        for_each_tile(q, k, [&](std::size_t first, MatrixView<T const>, MatrixView<T> p) {
            for_rows(p.rows, detail::LogSumExp<T>{p, one + first, s, log_sum.data + first,
                                                  loss.data + first});
        });
    }

    void add_softmax_products(MatrixView<T const> q, MatrixView<T const> k,
                              std::span<std::int32_t const> positive, T s, MatrixView<T const>, T w,
                              Single<T const> dy, MatrixView<T> dq) {
        std::int32_t const* const one = index(positive).there.data();
        for_each_tile(q, k, [&](std::size_t first, MatrixView<T const>, MatrixView<T> p) {
            for_rows(p.rows, detail::SoftmaxLessPositive<T>{p, one + first, s, w, dy.view.data});
            product(p, Form::plain, k, Form::plain, row_range(dq, first, p.rows), true);
        });
    }

    void add_transposed_softmax_products(MatrixView<T const> q, MatrixView<T const> k,
                                         std::span<std::int32_t const> positive, T s,
                                         MatrixView<T const>, T w, Single<T const> dy,
                                         MatrixView<T> dk) {
        std::int32_t const* const one = index(positive).there.data();
        for_each_tile(q, k, [&](std::size_t first, MatrixView<T const> rows, MatrixView<T> p) {
            for_rows(p.rows, detail::SoftmaxLessPositive<T>{p, one + first, s, w, dy.view.data});
            product(p, Form::transposed, rows, Form::plain, dk, true);
        });
    }

    void multiply(Pattern::Side const& side, MatrixView<T const> w, MatrixView<T const> x,
                  MatrixView<T> y, bool add) {
        auto const& a = detail::SideThere<System>::of(side, system_);
        for_rows(y.rows, detail::SparseRow<T>{a.offsets.data(),
                                              a.ends.data(),
                                              a.entry.data(),
                                              w.data,
                                              x,
                                              {},
                                              y,
                                              {},
                                              {nullptr, nullptr, !add}});
    }

    void add_products(Pattern::Side const& side, MatrixView<T const> a, MatrixView<T const> c,
                      MatrixView<T> w) {
        auto const& p = detail::SideThere<System>::of(side, system_);
        for_rows(a.rows, detail::ProductsOfRow<T>{p.offsets.data(), p.ends.data(), p.entry.data(),
                                                  a, c, w.data});
    }

    void segment_softmax(Pattern::Side const& side, T guard, MatrixView<T const> x,
                         MatrixView<T> y) {
        for_segments(side, [&](detail::Segments segments) {
            return detail::SegmentSoftmax<T>{segments, guard, x.data, y.data};
        });
    }

    void add_segment_softmax_gradient(Pattern::Side const& side, MatrixView<T const> y,
                                      MatrixView<T const> dy, MatrixView<T> dx) {
        for_segments(side, [&](detail::Segments segments) {
            return detail::SegmentSoftmaxGradient<T>{segments, y.data, dy.data, dx.data};
        });
    }

    void segment_sum(Pattern::Side const& side, MatrixView<T const> x, MatrixView<T> y) {
        for_segments(side, [&](detail::Segments segments) {
            return detail::SegmentSum<T>{segments, x.data, y.data};
        });
    }

    template <class F>
    void scatter_segments(Pattern::Side const& side, F f, MatrixView<T> x, MatrixView<T const> y) {
        for_segments(side, [&](detail::Segments segments) {
            return detail::ScatterSegment<T, F>{segments, f, x.data, y.data};
        });
    }

    void gather(MatrixView<T const> x, std::span<std::int32_t const> rows, MatrixView<T> y) {
        map(detail::Assign{}, y, detail::RowsAt<T const>{x, index(rows).there.data()});
    }

    void gather_add(MatrixView<T const> x, std::span<std::int32_t const> rows, MatrixView<T> y) {
        map(detail::Add{}, y, detail::RowsAt<T const>{x, index(rows).there.data()});
    }

    void scatter_add(MatrixView<T const> y, std::span<std::int32_t const> rows, MatrixView<T> x) {
        auto& list = index(rows);
        indices_.group(list, x.rows, system_);
        for_rows(list.n_rows, detail::AddToRow<T>{y, list.rows.data(), list.offsets.data(),
                                                  list.order.data(), x.data});
    }

    void multiply(Csr<T> const& a, MatrixView<T const> x, Rows x_rows, MatrixView<T> y, Rows y_rows,
                  Rows held) {
        auto const& copy = detail::CsrThere<T, System>::of(a, system_);
        if (x_rows.is_all() && y_rows.is_all() && (held.is_all() || held.is_none()) &&
            libraries_.sparse_product(system_, a, copy, x, y, held.is_all()))
            return;
        for_rows(y_rows.count(y.rows),
                 detail::SparseRow<T>{copy.offsets.data(), copy.columns.data(), nullptr,
                                      copy.values.data(), x, there(x_rows), y, there(y_rows),
                                      there(held)});
    }

    /// row(group, k) for k < n, each in one group of threads (tape/device_loops.hpp).
    template <class Row>
    void for_rows(std::size_t n, Row const& row) {
        if (n > 0) run(tasks(n, detail::rows_per_task), detail::RowsBody<Row>{row, n});
    }

    System& system() { return system_; }

private:
    // Products that are used and thrown away are made for so many rows that they are about this many.
    static constexpr std::size_t products_of_tile = std::size_t{1} << 24;

    static std::size_t tasks(std::size_t n, std::size_t per_task) {
        return (n + per_task - 1) / per_task;
    }

    template <class Body, class Tail = polder::detail::NoEnd>
    void run(std::size_t n, Body const& body, Tail const& tail = {}) {
        system_.run(n, body, tail, ticket_.data());
    }

    template <class Make>
    void for_segments(Pattern::Side const& side, Make const& make) {
        auto const& copy = detail::SideThere<System>::of(side, system_);
        for_rows(side.offsets.size() - 1, make(detail::Segments{copy.offsets.data()}));
    }

    template <class F, class... Operands>
    void map_entries(F f, std::size_t n, std::size_t cols, Operands... operands) {
        if (n == 0) return;
        run(tasks(n, detail::entries_per_task),
            detail::MapBody<F, Operands...>{f, n, cols, {operands...}});
    }

    template <class F, class First, class... Operands>
    void sum_entries(bool add, F f, MatrixView<T> y, First first, Operands... rest) {
        const std::size_t parts = tasks(first.size(), detail::terms_per_task);
        double* const partial = partial_.reserve(parts);
        using Body = detail::SumBody<F, First, Operands...>;
        run(parts, Body{f, first.size(), first.cols, partial, {first, rest...}},
            detail::SumTail<T>{partial, parts, y.data, add});
    }

    // f(first, rows of q from there on, their products with all rows of k)
    template <class F>
    void for_each_tile(MatrixView<T const> q, MatrixView<T const> k, F const& f) {
        const std::size_t most =
            std::clamp<std::size_t>(products_of_tile / std::max<std::size_t>(k.rows, 1), 1, q.rows);
        T* const memory = products_.reserve(most * k.rows);
        for (std::size_t first = 0; first < q.rows; first += most) {
            auto const rows = row_range(q, first, std::min(most, q.rows - first));
            const MatrixView<T> p{memory, rows.rows, k.rows};
            product(rows, Form::plain, k, Form::transposed, p, false);
            f(first, rows, p);
        }
    }

    detail::RowsThere there(Rows rows) {
        if (rows.is_all()) return {};
        if (rows.is_none()) return {nullptr, nullptr, true};
        auto const& copy = detail::RowSetThere<System>::of(*rows.set(), system_);
        return {copy.members.data(), copy.flags.data(), rows.set()->members().empty()};
    }

    typename detail::Indices<System>::Index& index(std::span<std::int32_t const> rows) {
        return indices_(rows, system_);
    }

    System system_;
    detail::Libraries<System> libraries_;
    DeviceArray<unsigned, System> ticket_{1};
    DeviceBuffer<double, System> partial_;
    DeviceBuffer<T, System> products_;
    detail::Indices<System> indices_;
    std::vector<T> on_host_;
};

}  // namespace polder::recsys
