/// Tasks spread over threads: with OpenMP if the translation unit is compiled with it, else on one
/// thread. A task must not depend on the thread that runs it. Then no result does.
#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>

#include <polder/config.hpp>

#if defined(_OPENMP)
#include <omp.h>

#include <polder/error.hpp>
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

// The thread sanitizer does not see how an OpenMP runtime, which was built without it, starts and joins
// threads. These two calls tell it of the order that OpenMP guarantees.
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

// The first task of thread number `part`. The shares of the threads are contiguous, and their sizes differ by at most one.
constexpr std::size_t share_begin(std::size_t tasks, std::size_t part, std::size_t parts) noexcept {
    return tasks / parts * part + std::min(part, tasks % parts);
}

// Two synchronisation points of one parallel region, alive until the region has joined.
struct ForkJoin {
    char fork = 0;
    char join = 0;
};

// Calls run(task, first, last) for contiguous shares of [0, tasks). It does not know the type of the task, so that it is
// compiled once for all tasks.
#if defined(POLDER_THREAD_SANITIZER)
// The sanitizer must not check how the compiler hands variables to the threads, which the OpenMP runtime orders. It still
// checks the tasks.
__attribute__((no_sanitize_thread, noinline))
#endif
POLDER_OPENMP_MARK inline void
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
            POLDER_TRY {
                run(task, share_begin(tasks, part, parts), share_begin(tasks, part + 1, parts));
            }
            POLDER_CATCH_ALL {
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
POLDER_OPENMP_MARK inline int default_threads() noexcept {
#if defined(_OPENMP)
    return omp_get_max_threads();
#else
    return 1;
#endif
}

/// Runs task(0), ..., task(tasks - 1), each once, on at most `threads` threads. Each thread runs a
/// contiguous share; the shares run in any order. Returns when all have ended. An exception ends the
/// share of its thread, and the first one is thrown again here. No memory is allocated.
template <class Task>
POLDER_OPENMP_MARK void parallel_for(std::size_t tasks, int threads, Task const& task) {
    detail::run_shares(
        tasks, threads,
        [](void const* at, std::size_t first, std::size_t last) {
            Task const& each = *static_cast<Task const*>(at);
            for (std::size_t i = first; i < last; ++i) each(i);
        },
        &task);
}

}  // namespace polder
