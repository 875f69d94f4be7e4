/// Where the memory of a block lies, and how the host reaches it.
#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>
#include <vector>

#include <polder/blocks/cache_line_allocator.hpp>

namespace polder {

/// Memory that the host reads and writes.
struct HostMemory {};
/// Memory that only a device is sure to reach: what thrust::device_vector and thrust::universal_vector hold.
struct DeviceMemory {};

/// The memory of a block of type B: B::memory_space, or else the host's. A type of your own without such a
/// member specialises this.
///
///     template <> struct polder::MemorySpace<MyVector> { using type = polder::DeviceMemory; };
template <class B>
struct MemorySpace {
    using type = HostMemory;
};

template <class B>
requires requires { typename B::memory_space; }
struct MemorySpace<B> {
    using type = typename B::memory_space;
};

/// Arrays in a kind of memory, and copies between it and the host's memory. A copy waits until the device has done its work.
/// polder/thrust.hpp and polder/cuda.hpp specialise this for devices. Without one of them parameters in such memory are
/// refused at compile time.
template <class Space>
struct Access;

template <>
struct Access<HostMemory> {
    template <class T>
    using Storage = std::vector<T, CacheLineAllocator<T>>;
    static void read(void* host, void const* at, std::size_t bytes) {
        if (bytes > 0) std::memcpy(host, at, bytes);
    }
    static void write(void* at, void const* host, std::size_t bytes) {
        if (bytes > 0) std::memcpy(at, host, bytes);
    }
};

namespace detail {

template <class Space>
concept accessible = requires {
    sizeof(Access<Space>);
};

}  // namespace detail

}  // namespace polder
