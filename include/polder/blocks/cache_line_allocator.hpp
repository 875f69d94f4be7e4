/// Memory that begins at a cache line.
#pragma once

#include <cstddef>
#include <new>

#include <polder/error.hpp>

namespace polder {

/// An allocator for containers whose rows or vector registers should not straddle cache lines.
template <class T>
struct CacheLineAllocator {
    using value_type = T;
    static constexpr std::align_val_t alignment{64};

    CacheLineAllocator() = default;
    template <class U>
    CacheLineAllocator(CacheLineAllocator<U> const&) noexcept {}

    T* allocate(std::size_t count) {
        if (count > static_cast<std::size_t>(-1) / sizeof(T))
            POLDER_THROW std::bad_array_new_length();
        return static_cast<T*>(::operator new(count * sizeof(T), alignment));
    }
    void deallocate(T* memory, std::size_t) noexcept { ::operator delete(memory, alignment); }

    friend bool operator==(CacheLineAllocator, CacheLineAllocator) { return true; }
};

}  // namespace polder
