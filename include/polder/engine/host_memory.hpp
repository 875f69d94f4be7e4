/// Where the CPU's engine keeps what outlives a pass. An engine of a device has the same types, in its memory.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <polder/blocks/cache_line_allocator.hpp>
#include <polder/engine/layout.hpp>

namespace polder::detail {

template <class T>
using Array = std::vector<T, CacheLineAllocator<T>>;

// A value that passes read and write.
template <class T>
struct HostCell {
    T value{};
    T* at() noexcept { return &value; }
};

// A list that the host writes and passes read, once the engine has been told (refresh).
template <class T>
struct HostTable {
    std::vector<T> values;
    T const* at() const noexcept { return values.data(); }
};

// An array whose new values must not replace the old ones before the end of a step.
template <class T>
class HostSuccession {
public:
    void assign(std::size_t size, T value) { now_.assign(size, value); }
    void assign_next() { next_ = now_; }
    void set(std::vector<T> const& values) { now_.assign(values.begin(), values.end()); }

    Flat<T> now() noexcept { return {now_.data()}; }
    Flat<T> next() noexcept { return {next_.data()}; }
    Array<T>& array() noexcept { return now_; }
    void give_back() noexcept {}
    // The end of a step that changed it.
    void succeed() noexcept { now_.swap(next_); }

private:
    Array<T> now_, next_;
};

}  // namespace polder::detail
