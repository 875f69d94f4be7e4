/// polder for parameters in thrust::device_vector and thrust::universal_vector, on Thrust's C++ and OpenMP systems.
///
/// For CUDA include polder/cuda.hpp. Needs Thrust's headers. Which system is that of device_vector is up to
/// THRUST_DEVICE_SYSTEM; default here: THRUST_DEVICE_SYSTEM_CPP.
#pragma once

#if __cplusplus <= 201703L && (!defined(_MSVC_LANG) || _MSVC_LANG <= 201703L)
#error "polder: C++20 is needed; compile with -std=c++20"
#else

#if !defined(THRUST_DEVICE_SYSTEM)
#define THRUST_DEVICE_SYSTEM THRUST_DEVICE_SYSTEM_CPP
#endif

#include <thrust/device_vector.h>

#include <polder/device/engine.hpp>
#include <polder/device/thrust_system.hpp>
#include <polder/polder.hpp>

#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
#error "polder: Thrust's device is CUDA: include polder/cuda.hpp, and compile with nvcc"
#endif

namespace polder {

#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_OMP
using DeviceSystem = ThrustOmp;
#else
using DeviceSystem = ThrustCpp;
#endif

template <>
struct Access<DeviceMemory> : Access<MemoryOn<DeviceSystem>> {};
template <class T>
struct EngineOf<DeviceMemory, T> : EngineOf<MemoryOn<DeviceSystem>, T> {};

/// All parameters of a model as named matrices in one allocation on the device.
template <class T>
using DeviceArena = ArenaOn<T, DeviceSystem>;

}  // namespace polder

#endif
