/// Thrust's systems that run on the processor, as devices. So the code for GPUs can be run without one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/system/cpp/execution_policy.h>
#if defined(_OPENMP)
#include <thrust/system/omp/execution_policy.h>
#endif

namespace polder {

namespace detail {

// See device/passes.hpp.
class TeamOfOne {
public:
    template <class F>
    void for_each(std::size_t count, F const& f) {
        for (std::size_t i = 0; i < count; ++i) f(i);
    }
    template <class F>
    void once(F const& f) {
        f();
    }
    template <class Fold>
    double combine(double value) {
        return value;
    }
    template <class F>
    F* storage() {
        static_assert(sizeof(F) <= sizeof bytes_ && alignof(F) <= 16);
        return reinterpret_cast<F*>(bytes_);
    }
    void add(std::uint64_t* at, std::uint64_t count) {
        __atomic_fetch_add(at, count, __ATOMIC_RELAXED);
    }

private:
    alignas(16) std::byte bytes_[1024];
};

}  // namespace detail

/// A team is one thread. Policy::get() is the execution policy of the system.
template <class Policy>
struct ThrustSystem {
    static void* allocate(std::size_t bytes) {
        return ::operator new (bytes, std::align_val_t{64});
    }
    static void deallocate(void* memory) noexcept {
        ::operator delete (memory, std::align_val_t{64});
    }
    static void read(void* host, void const* at, std::size_t bytes) {
        std::memcpy(host, at, bytes);
    }
    static void write(void* at, void const* host, std::size_t bytes) {
        std::memcpy(at, host, bytes);
    }
    void put(void* at, void const* host, std::size_t bytes) { std::memcpy(at, host, bytes); }
    void send(void* at, void const* host, std::size_t bytes) { std::memcpy(at, host, bytes); }
    void set_stream(void*) {}
    bool capturing() const { return false; }

    template <class Body, class Tail>
    void run(std::size_t tasks, Body const& body, Tail const& tail, unsigned*) {
        thrust::counting_iterator<std::size_t> const first(0);
        thrust::for_each(Policy::get(), first, first + static_cast<std::ptrdiff_t>(tasks),
                         [&](std::size_t task) {
                             detail::TeamOfOne team;
                             body(team, task, tasks, tasks);
                         });
        detail::TeamOfOne team;
        tail(team);
    }
};

/// The calling thread.
struct CppPolicy {
    static auto get() { return thrust::cpp::par; }
};
using ThrustCpp = ThrustSystem<CppPolicy>;

#if defined(_OPENMP)
/// OpenMP's threads.
struct OmpPolicy {
    static auto get() { return thrust::omp::par; }
};
using ThrustOmp = ThrustSystem<OmpPolicy>;
#endif

}  // namespace polder
