/// polder for parameters on an NVIDIA GPU: thrust::device_vector, thrust::universal_vector, DeviceSpan, DeviceArray,
/// DeviceArena, and nests of these. For nvcc, with --expt-relaxed-constexpr. See docs/gpu.md.
///
///     thrust::device_vector<float> x(1000000);
///     polder::BSAM optimizer{polder::Adam{}, {.rho = 0.1}};
///     optimizer.set_stream(stream);
///     polder::DeviceReport report = optimizer.step(x, [&](auto const& at, auto& gradient) {
///         launch_gradient<<<..., stream>>>(at.data().get(), gradient.data().get(), loss);
///         return polder::DeviceLoss(loss);
///     });
///     if (step % 100 == 0) std::printf("%g\n", report.read().loss);  // waits
#pragma once

#if __cplusplus <= 201703L && (!defined(_MSVC_LANG) || _MSVC_LANG <= 201703L)
#error "polder: C++20 is needed; compile with -std=c++20"
#else

#include <polder/device/cuda_system.hpp>

#include <thrust/device_vector.h>
#include <thrust/universal_vector.h>

#include <polder/device/engine.hpp>
#include <polder/polder.hpp>

#if THRUST_DEVICE_SYSTEM != THRUST_DEVICE_SYSTEM_CUDA
#error "polder: Thrust's device is not CUDA: include polder/thrust.hpp"
#endif

namespace polder {

using DeviceSystem = Cuda;

template <>
struct Access<DeviceMemory> : Access<MemoryOn<Cuda>> {};
template <class T>
struct EngineOf<DeviceMemory, T> : EngineOf<MemoryOn<Cuda>, T> {};

/// All parameters of a model as named matrices in one allocation on the device.
template <class T>
using DeviceArena = ArenaOn<T, Cuda>;

}  // namespace polder

#endif
