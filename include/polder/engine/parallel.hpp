/// Tasks spread over threads: OpenMP where the translation unit is compiled with it, one thread
/// otherwise. A task must not depend on the thread that runs it; then nothing else does.
#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>

#if defined(_OPENMP)
#include <omp.h>
#endif

#if defined(__SANITIZE_THREAD__)
#define POLDER_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define POLDER_THREAD_SANITIZER 1
#endif
#endif

#if defined(POLDER_THREAD_SANITIZER)
extern "C" void __tsan_acquire(void*);
extern "C" void __tsan_release(void*);
#endif

namespace polder {

namespace detail {

// The thread sanitizer does not see the fork and the join inside an OpenMP runtime that was built
// without it; these two calls tell it of the order that OpenMP guarantees.
inline void happens_before([[maybe_unused]] void* point) noexcept {
#if defined(POLDER_THREAD_SANITIZER)
    __tsan_release(point);
#endif
}

inline void happens_after([[maybe_unused]] void* point) noexcept {
#if defined(POLDER_THREAD_SANITIZER)
    __tsan_acquire(point);
#endif
}

// The tasks [first, last) of one of `parts` threads: contiguous and equal but for one.
constexpr std::size_t share_begin(std::size_t tasks, std::size_t part, std::size_t parts) noexcept {
    return tasks / parts * part + std::min(part, tasks % parts);
}

// Two synchronisation points of one parallel region, alive until the region has joined.
struct ForkJoin {
    char fork = 0;
    char join = 0;
};

// run(task, first, last) for contiguous shares of [0, tasks). Apart from the type of the task, so that it is
// compiled once.
#if defined(POLDER_THREAD_SANITIZER)
// The block in which the compiler hands variables to the threads is the OpenMP runtime's affair; the
// tasks are still looked at.
__attribute__((no_sanitize_thread, noinline))
#endif
inline void
run_shares(std::size_t tasks, [[maybe_unused]] int threads,
           void (*run)(void const*, std::size_t, std::size_t), void const* task) {
#if defined(_OPENMP)
    std::size_t const wanted = std::min(tasks, static_cast<std::size_t>(std::max(threads, 1)));
    if (wanted > 1) {
        std::exception_ptr failure;
        ForkJoin order;
        happens_before(&order.fork);
#pragma omp parallel num_threads(static_cast <int>(wanted)) default(shared)
        {
            happens_after(&order.fork);
            auto const part = static_cast<std::size_t>(omp_get_thread_num());
            auto const parts = static_cast<std::size_t>(omp_get_num_threads());
            try {
                run(task, share_begin(tasks, part, parts), share_begin(tasks, part + 1, parts));
            } catch (...) {
#pragma omp critical(polder_parallel_for)
                if (!failure) failure = std::current_exception();
            }
            happens_before(&order.join);
        }
        happens_after(&order.join);
        if (failure) std::rethrow_exception(failure);
        return;
    }
#endif
    run(task, 0, tasks);
}

}  // namespace detail

/// The number of threads used where none is asked for: OpenMP's maximum, or 1 without OpenMP.
inline int default_threads() noexcept {
#if defined(_OPENMP)
    return omp_get_max_threads();
#else
    return 1;
#endif
}

/// Runs task(0), ..., task(tasks - 1), each once, on at most `threads` threads (contiguous shares,
/// no order among shares). Returns when all have ended. The first exception of a share ends that
/// share and is thrown again here. No memory is allocated.
template <class Task>
void parallel_for(std::size_t tasks, int threads, Task const& task) {
    detail::run_shares(
        tasks, threads,
        [](void const* at, std::size_t first, std::size_t last) {
            Task const& each = *static_cast<Task const*>(at);
            for (std::size_t i = first; i < last; ++i) each(i);
        },
        &task);
}

}  // namespace polder
