/// Random numbers of a model that are drawn on a device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <polder/device/memory.hpp>
#include <polder/device/passes.hpp>

#include "recsys/models/noise.hpp"
#include "recsys/tape/device_loops.hpp"
#include "recsys/tape/device_memory.hpp"

namespace polder::recsys::detail {

// Entry k = b cols + j is f.of_row(index[b])(j).
template <class F>
struct DrawInRow {
    F f;
    std::int32_t const* index;
    std::size_t cols;

    POLDER_HOST_DEVICE auto operator()(std::size_t k) const {
        return f.of_row(index[k / cols])(k % cols);
    }
};

template <class T, class System>
class Drawn {
public:
    std::size_t size() const { return size_; }
    T const* data() const { return values_.data(); }

    void assign(std::vector<T> const& values) {
        values_.send(system_, values);
        size_ = values.size();
    }

    template <class F>
    void draw(std::size_t n, F f) {
        size_ = n;
        T* const to = values_.reserve(n);
        if (n > 0)
            system_.run((n + entries_per_task - 1) / entries_per_task, DrawBody<T, F>{f, n, to},
                        polder::detail::NoEnd{}, nullptr);
    }
    template <class F>
    void draw_rows(std::span<std::int32_t const> index, std::size_t cols, F f) {
        index_.send(system_, index);
        draw(index.size() * cols, DrawInRow<F>{f, index_.data(), cols});
    }

private:
    System system_;
    DeviceBuffer<T, System> values_;
    DeviceBuffer<std::int32_t, System> index_;
    std::size_t size_ = 0;
};

}  // namespace polder::recsys::detail
