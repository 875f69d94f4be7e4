/// Where the memory of a block lies.
#pragma once

#include <type_traits>

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

}  // namespace polder
