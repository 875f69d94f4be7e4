/// Memory of a device that the tape works in, and what it copies there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "recsys/tape/csr.hpp"
#include "recsys/tape/mirror.hpp"
#include "recsys/tape/pattern.hpp"
#include "recsys/tape/rows.hpp"

namespace polder::recsys {

/// Uninitialised memory of a System (polder/device/memory.hpp) that only grows.
template <class T, class System>
class DeviceBuffer {
public:
    DeviceBuffer() = default;
    DeviceBuffer(DeviceBuffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), capacity_(std::exchange(other.capacity_, 0)) {
    }
    DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(capacity_, other.capacity_);
        return *this;
    }
    ~DeviceBuffer() { System::deallocate(data_); }

    /// Room for `size` numbers. The content is lost where the buffer grows.
    T* reserve(std::size_t size) {
        if (size > capacity_) {
            System::deallocate(std::exchange(data_, nullptr));
            capacity_ = 0;
            data_ = static_cast<T*>(System::allocate(size * sizeof(T)));
            capacity_ = size;
        }
        return data_;
    }

    /// Becomes a copy of `values`, in the order of the passes of `system`.
    void send(System& system, std::span<T const> values) {
        reserve(values.size());
        if (!values.empty()) system.send(data_, values.data(), values.size_bytes());
    }

    T* data() const { return data_; }

private:
    T* data_ = nullptr;
    std::size_t capacity_ = 0;
};

namespace detail {

// Places of entries, counted in 32 bits, which are half the memory to read.
template <class System>
void send_offsets(DeviceBuffer<std::int32_t, System>& to, System& system,
                  std::vector<std::size_t> const& offsets) {
    if (offsets.back() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
        throw std::length_error("tape: a sparse matrix of " + std::to_string(offsets.back()) +
                                " entries is too large for a device, expected less than 2^31");
    const std::vector<std::int32_t> narrow(offsets.begin(), offsets.end());
    to.send(system, narrow);
}

template <class T, class System>
struct CsrThere {
    DeviceBuffer<std::int32_t, System> offsets, columns;
    DeviceBuffer<T, System> values;

    static CsrThere const& of(Csr<T> const& a, System& system) {
        return a.mirror.template get<CsrThere>([&](CsrThere& copy) {
            send_offsets(copy.offsets, system, a.offsets);
            copy.columns.send(system, a.columns);
            copy.values.send(system, a.values);
        });
    }
};

template <class System>
struct SideThere {
    DeviceBuffer<std::int32_t, System> offsets, ends, entry;

    static SideThere const& of(Pattern::Side const& side, System& system) {
        return side.mirror.template get<SideThere>([&](SideThere& copy) {
            send_offsets(copy.offsets, system, side.offsets);
            copy.ends.send(system, side.ends);
            copy.entry.send(system, side.entry);
        });
    }
};

template <class System>
struct RowSetThere {
    DeviceBuffer<std::int32_t, System> members;
    DeviceBuffer<std::uint8_t, System> flags;

    static RowSetThere const& of(RowSet const& set, System& system) {
        return set.mirror().template get<RowSetThere>([&](RowSetThere& copy) {
            copy.members.send(system, set.members());
            copy.flags.send(system, set.flags());
        });
    }
};

/// Lists of rows, on the device: each is sent once for an evaluation of the tape, and not again in the next
/// ones while its entries are the same.
template <class System>
class Indices {
public:
    struct Index {
        std::int32_t const* key = nullptr;
        std::vector<std::int32_t> values;
        std::size_t used = 0, grouped = 0;  // in which evaluation last; the rows of `rows`, plus 1
        std::size_t n_rows = 0;             // how many of them occur
        DeviceBuffer<std::int32_t, System> there, rows, offsets, order;
    };

    void begin_evaluation() { ++evaluation_; }

    Index& operator()(std::span<std::int32_t const> index, System& system) {
        Index* oldest = nullptr;
        for (auto const& each : all_) {
            if (each->key == index.data() && each->values.size() == index.size()) {
                if (each->used == evaluation_) return *each;
                if (std::equal(index.begin(), index.end(), each->values.begin())) {
                    each->used = evaluation_;
                    return *each;
                }
            }
            if (each->used + kept < evaluation_ && (!oldest || each->used < oldest->used))
                oldest = each.get();
        }
        if (oldest == nullptr) oldest = all_.emplace_back(std::make_unique<Index>()).get();
        oldest->key = index.data();
        oldest->values.assign(index.begin(), index.end());
        oldest->used = evaluation_;
        oldest->grouped = 0;
        oldest->there.send(system, index);
        return *oldest;
    }

    /// Fills rows, offsets and order: `order` has the places of row rows[k] at offsets[k] to offsets[k + 1].
    void group(Index& index, std::size_t n_rows, System& system) {
        if (index.grouped == n_rows + 1) return;
        counts_.assign(n_rows + 1, 0);
        for (const std::int32_t row : index.values) ++counts_[static_cast<std::size_t>(row)];
        rows_.clear();
        offsets_.assign(1, 0);
        for (std::size_t row = 0; row < n_rows; ++row) {
            const std::int32_t count = counts_[row];
            counts_[row] = offsets_.back();
            if (count == 0) continue;
            rows_.push_back(static_cast<std::int32_t>(row));
            offsets_.push_back(offsets_.back() + count);
        }
        order_.resize(index.values.size());
        for (std::size_t b = 0; b < index.values.size(); ++b)
            order_[static_cast<std::size_t>(counts_[static_cast<std::size_t>(index.values[b])]++)] =
                static_cast<std::int32_t>(b);
        index.rows.send(system, rows_);
        index.offsets.send(system, offsets_);
        index.order.send(system, order_);
        index.n_rows = rows_.size();
        index.grouped = n_rows + 1;
    }

private:
    static constexpr std::size_t kept = 3;  // evaluations that a list outlives without being used

    std::vector<std::unique_ptr<Index>> all_;
    std::size_t evaluation_ = kept + 1;
    std::vector<std::int32_t> counts_, rows_, offsets_, order_;
};

}  // namespace detail

}  // namespace polder::recsys
