/// CUDA as a device: a team is a thread block. For nvcc, with --expt-relaxed-constexpr.
#pragma once

#if !defined(__CUDACC__)
#error                                                                                             \
    "polder: polder/cuda.hpp is for nvcc; what the rest of the program calls stands in a .cu file"
#elif !defined(__CUDACC_RELAXED_CONSTEXPR__)
#error                                                                                             \
    "polder: compile with --expt-relaxed-constexpr, which lets kernels use std::tuple and the like"
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>

#include <cuda_runtime.h>

#include <polder/config.hpp>
#include <polder/device/passes.hpp>

namespace polder {

/// A call of the CUDA runtime has failed. The message says which, and why.
struct CudaError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

namespace detail {

inline void check_cuda(cudaError_t status, char const* call) {
    if (status != cudaSuccess) {
        throw CudaError("polder: " + std::string(call) + ": " + cudaGetErrorString(status));
    }
}

inline constexpr unsigned threads_of_team = 256;
inline constexpr unsigned teams_of_multiprocessor = 8;

// See device/passes.hpp. Its functions run in kernels only.
class TeamOfBlock {
public:
    POLDER_HOST_DEVICE TeamOfBlock([[maybe_unused]] unsigned char* storage,
                                   [[maybe_unused]] double* scratch)
        : storage_(storage), scratch_(scratch) {}

    template <class F>
    POLDER_HOST_DEVICE void for_each([[maybe_unused]] std::size_t count,
                                     [[maybe_unused]] F const& f) {
#if defined(__CUDA_ARCH__)
#pragma unroll 4
        for (std::size_t i = threadIdx.x; i < count; i += threads_of_team) f(i);
#endif
    }
    template <class F>
    POLDER_HOST_DEVICE void once([[maybe_unused]] F const& f) {
#if defined(__CUDA_ARCH__)
        __syncthreads();
        if (threadIdx.x == 0) f();
        __syncthreads();
#endif
    }
    // Folds one half of the threads onto the other until one is left: in every run in the same order.
    template <class Fold>
    POLDER_HOST_DEVICE double combine(double value) {
#if defined(__CUDA_ARCH__)
        __syncthreads();
        scratch_[threadIdx.x] = value;
        __syncthreads();
        for (unsigned half = threads_of_team / 2; half > 0; half /= 2) {
            if (threadIdx.x < half) {
                scratch_[threadIdx.x] =
                    Fold::fold(scratch_[threadIdx.x], scratch_[threadIdx.x + half]);
            }
            __syncthreads();
        }
        value = scratch_[0];
#endif
        return value;
    }
    template <class F>
    POLDER_HOST_DEVICE F* storage() {
        static_assert(sizeof(F) <= storage_bytes && alignof(F) <= 16,
                      "polder: a policy's scalar functions hold a few numbers");
        return reinterpret_cast<F*>(storage_);
    }
    POLDER_HOST_DEVICE void add([[maybe_unused]] std::uint64_t* at,
                                [[maybe_unused]] std::uint64_t count) {
#if defined(__CUDA_ARCH__)
        atomicAdd(reinterpret_cast<unsigned long long*>(at),
                  static_cast<unsigned long long>(count));
#endif
    }

    static constexpr std::size_t storage_bytes = 1024;

private:
    unsigned char* storage_;
    double* scratch_;
};

template <class Body, class Tail>
__global__ void __launch_bounds__(threads_of_team)
    run_pass(Body const body, Tail const tail, std::size_t const tasks, unsigned* const ticket) {
    __shared__ alignas(16) unsigned char storage[TeamOfBlock::storage_bytes];
    __shared__ double scratch[threads_of_team];
    TeamOfBlock team(storage, scratch);
    body(team, blockIdx.x, gridDim.x, tasks);
    if constexpr (!std::is_same_v<Tail, NoEnd>) {
        // The block that ends last runs the tail. It sees what all blocks have written.
        __shared__ bool is_last;
        __threadfence();
        __syncthreads();
        if (threadIdx.x == 0) {
            is_last = gridDim.x == 1 || atomicAdd(ticket, 1u) == gridDim.x - 1;
            if (is_last) atomicExch(ticket, 0u);
        }
        __syncthreads();
        if (!is_last) return;
        __threadfence();
        tail(team);
    }
}

// A few bytes that are passed as an argument of the kernel, so that the memory on the host may be freed at once.
struct Parcel {
    static constexpr std::size_t most = 1024;
    unsigned char bytes[most];
};
template <class = void>
__global__ void put_parcel(Parcel const parcel, unsigned char* at, unsigned size) {
    for (unsigned i = threadIdx.x; i < size; i += blockDim.x) at[i] = parcel.bytes[i];
}

// Makes the device of some memory the current one, for as long as this object lives. Never throws: if something is wrong with
// the device, the next call reports it.
class OnDevice {
public:
    explicit OnDevice(int device) noexcept { use(device); }
    explicit OnDevice(void const* memory) noexcept {
        if (int const device = device_of(memory); device >= 0) use(device);
    }
    OnDevice(OnDevice const&) = delete;
    OnDevice& operator=(OnDevice const&) = delete;
    ~OnDevice() {
        if (before_ >= 0) static_cast<void>(cudaSetDevice(before_));
    }

    // The device of some memory, or -1 if it is not memory of a device.
    static int device_of(void const* memory) noexcept {
        cudaPointerAttributes of{};
        if (cudaPointerGetAttributes(&of, memory) != cudaSuccess) {
            static_cast<void>(cudaGetLastError());  // clears the error, which is dealt with here
            return -1;
        }
        return of.type == cudaMemoryTypeDevice || of.type == cudaMemoryTypeManaged ? of.device : -1;
    }

private:
    void use(int device) noexcept {
        int current = 0;
        if (cudaGetDevice(&current) != cudaSuccess || current == device) return;
        if (cudaSetDevice(device) == cudaSuccess) before_ = current;
    }
    int before_ = -1;
};

// Launches a kernel. Throws for an error of this launch, and not for one that an earlier call has left.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), unsigned teams, cudaStream_t stream,
            Arguments const&... arguments) {
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(teams);
    config.blockDim = dim3(threads_of_team);
    config.stream = stream;
    check_cuda(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...),
               "launch");
}

}  // namespace detail

/// CUDA as a System. Memory is allocated on the current device; passes run on the stream that was set (default: the default
/// stream).
class Cuda {
public:
    static void* allocate(std::size_t bytes) {
        void* memory = nullptr;
        cudaError_t const status = cudaMalloc(&memory, bytes);
        if (status == cudaErrorMemoryAllocation) {
            static_cast<void>(cudaGetLastError());  // clears the error, which is dealt with here
            throw std::bad_alloc();
        }
        detail::check_cuda(status, "cudaMalloc");
        return memory;
    }
    static void deallocate(void* memory) noexcept {
        if (memory == nullptr) return;
        detail::OnDevice const there(memory);
        cudaFree(memory);
    }
    // Waits for all streams, since the copy is not ordered with them.
    static void read(void* host, void const* at, std::size_t bytes) {
        detail::OnDevice const there(at);
        detail::check_cuda(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
        detail::check_cuda(cudaMemcpy(host, at, bytes, cudaMemcpyDeviceToHost), "cudaMemcpy");
    }
    static void write(void* at, void const* host, std::size_t bytes) {
        detail::OnDevice const there(at);
        detail::check_cuda(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
        detail::check_cuda(cudaMemcpy(at, host, bytes, cudaMemcpyHostToDevice), "cudaMemcpy");
        detail::check_cuda(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    }

    void put(void* at, void const* host, std::size_t bytes) {
        for (std::size_t done = 0; done < bytes; done += detail::Parcel::most) {
            std::size_t const size = std::min(bytes - done, detail::Parcel::most);
            detail::Parcel parcel;
            std::memcpy(parcel.bytes, static_cast<unsigned char const*>(host) + done, size);
            detail::launch(&detail::put_parcel<>, 1, stream_, parcel,
                           static_cast<unsigned char*>(at) + done, static_cast<unsigned>(size));
        }
    }

    // When the call returns, host memory that is not pinned has been read.
    void send(void* at, void const* host, std::size_t bytes) {
        detail::check_cuda(cudaMemcpyAsync(at, host, bytes, cudaMemcpyHostToDevice, stream_),
                           "cudaMemcpyAsync");
    }

    void set_stream(void* stream) noexcept { stream_ = static_cast<cudaStream_t>(stream); }
    void* stream() const noexcept { return stream_; }
    bool capturing() const {
        if (is_legacy(stream_))
            return false;  // cannot be captured, and must not be asked in a capture
        cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
        detail::check_cuda(cudaStreamIsCapturing(stream_, &status), "cudaStreamIsCapturing");
        return status == cudaStreamCaptureStatusActive;
    }

    template <class Body, class Tail>
    void run(std::size_t tasks, Body const& body, Tail const& tail, unsigned* ticket) {
        if (tasks == 0 && std::is_same_v<Tail, detail::NoEnd>) return;
        if (device_ < 0) device_ = detail::OnDevice::device_of(ticket);
        detail::OnDevice const there(device_);
        std::size_t const most =
            static_cast<std::size_t>(multiprocessors()) * detail::teams_of_multiprocessor;
        auto const teams = static_cast<unsigned>(std::clamp<std::size_t>(tasks, 1, most));
        detail::launch(&detail::run_pass<Body, Tail>, teams, stream_, body, tail, tasks, ticket);
    }

private:
    // Whether a stream is the legacy default stream. With a default stream per thread, nullptr is that of the thread.
    static bool is_legacy(cudaStream_t stream) noexcept {
#if defined(CUDA_API_PER_THREAD_DEFAULT_STREAM)
        return stream == cudaStreamLegacy;
#else
        return stream == nullptr || stream == cudaStreamLegacy;
#endif
    }
    int multiprocessors() {
        if (multiprocessors_ == 0) {
            detail::check_cuda(
                cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, device_),
                "cudaDeviceGetAttribute");
        }
        return multiprocessors_;
    }

    cudaStream_t stream_ = nullptr;
    int device_ = -1;  // of the memory of the passes; they run there
    int multiprocessors_ = 0;
};

}  // namespace polder
