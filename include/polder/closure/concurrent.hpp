/// Closures that may be called twice at the same time.
///
/// BSAM+ and all other methods of two batches need the gradient of B1 at x + eps and that of B2 at x, and SAMPa those of both
/// batches at two points: neither needs the other. "Can be calculated independently and in parallel" (the BSAM paper, on its
/// mixed loss).
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <thread>
#include <type_traits>
#include <utility>

#include <polder/closure/pass.hpp>
#include <polder/config.hpp>
#include <polder/engine/function_ref.hpp>
#include <polder/engine/parallel.hpp>
#include <polder/error.hpp>

namespace polder {

namespace detail {

// A closure that has a name is kept by reference, so that its state (a generator of random numbers) is not copied.
template <class Closure>
using KeptClosure = std::conditional_t<std::is_lvalue_reference_v<Closure>,
                                       std::reference_wrapper<std::remove_reference_t<Closure>>,
                                       std::remove_cvref_t<Closure>>;

// A closure for each batch, as one.
template <class First, class Second>
struct OfEachBatch {
    using InnerClosure = std::unwrap_reference_t<First>;
    using OtherInnerClosure = std::unwrap_reference_t<Second>;
    First first;
    Second second;

    template <class P>
    auto operator()(P const& at, P& gradient, Pass pass) {
        auto const call = [&](auto& closure) {
            if constexpr (std::invocable<decltype(closure), P const&, P&, Pass>) {
                return closure(at, gradient, pass);
            } else {
                return closure(at, gradient);
            }
        };
        return pass.batch == Batch::first ? call(first) : call(second);
    }
};

}  // namespace detail

/// What concurrent() returns.
template <class Closure>
struct Concurrent {
    using InnerClosure = std::unwrap_reference_t<Closure>;
    mutable Closure closure;

    static constexpr bool at_once() { return true; }

    template <class P>
    requires std::invocable<Closure&, P const&, P&, Pass>
    decltype(auto) operator()(P const& at, P& gradient, Pass pass) const {
        return closure(at, gradient, pass);
    }
};

/// Says that a closure, scalar(P const& at, P& gradient, Pass), may be called from two threads at the same time. If a step needs
/// gradients of two batches, and neither needs the other, it then computes them at once: that of the first batch in the thread
/// that calls the step, the other one in a thread of its own (where OpenMP has just two threads, in the other one of these; loops
/// of the closure by OpenMP then run on one thread each). Everything that both calls write (the activations of a model, a
/// generator of random numbers) has to be there twice: pass.batch tells the calls apart. pass.at_once says that the other one is
/// under way, so that each takes half of the threads. Results are the same bits as one after
/// the other. If a call throws, the step throws after both have ended, and has changed nothing. If both throw, the step throws the
/// exception of the first batch. A closure that does not say so is never called twice at once.
///
///     optimizer.step(x, polder::concurrent([&](auto const& at, auto& gradient, polder::Pass pass) {
///         return model[pass.batch == polder::Batch::first ? 0 : 1].loss(at, gradient);
///     }));
///
/// A closure that has a name is kept by reference, so that its state (a generator of random numbers) is not copied.
template <class Closure>
auto concurrent(Closure&& closure) {
    return Concurrent<detail::KeptClosure<Closure>>{std::forward<Closure>(closure)};
}

/// The same, with a closure for each batch: scalar(P const& at, P& gradient), or scalar(P const& at, P& gradient, Pass). `first`
/// is called for B1, `second` for B2.
template <class First, class Second>
auto concurrent(First&& first, Second&& second) {
    return concurrent(detail::OfEachBatch<detail::KeptClosure<First>, detail::KeptClosure<Second>>{
        std::forward<First>(first), std::forward<Second>(second)});
}

namespace detail {

// Whether a closure may be called twice at once. at_once() says whether this one may: of AnyOptimizer's it is known at run time.
template <class Closure>
concept concurrent_closure = requires(Closure& closure) {
    closure.at_once();
};

// Whether OpenMP has two threads in all. The other one is then to call the closure: it would take time from a third, since it
// looks for work for some milliseconds after each pass of the optimizer.
POLDER_OPENMP_MARK inline bool openmp_has_two_threads() noexcept {
#if defined(_OPENMP)
    return omp_get_max_threads() == 2 && omp_get_thread_limit() > 1 && omp_get_dynamic() == 0 &&
           omp_in_parallel() == 0;
#else
    return false;
#endif
}

// Runs f() as a thread does that no loop of OpenMP is spread over: what f has of OpenMP without a parallel of its own runs on this
// thread alone.
POLDER_OPENMP_MARK inline void in_team_of_one(FunctionRef<void()> f) {
#if defined(_OPENMP)
#pragma omp parallel num_threads(1)
#endif
    f();
}

// Runs first() in this thread and second() in another. Throws what first() throws, else what second() throws, after both have
// ended.
POLDER_OPENMP_MARK POLDER_APART inline void both_at_once(FunctionRef<void()> first,
                                                         FunctionRef<void()> second) {
    std::exception_ptr of_first, of_second;
    auto const guarded = [](FunctionRef<void()> f, std::exception_ptr& thrown) {
        POLDER_TRY { f(); }
        POLDER_CATCH_ALL { thrown = std::current_exception(); }
    };
    if (openmp_has_two_threads()) {
        parallel_for(2, 2, [&](std::size_t k) {
            in_team_of_one([&] { k == 0 ? guarded(first, of_first) : guarded(second, of_second); });
        });
    } else {
        std::thread other([&] { guarded(second, of_second); });
        guarded(first, of_first);
        other.join();
    }
    if (of_first) std::rethrow_exception(of_first);
    if (of_second) std::rethrow_exception(of_second);
}

}  // namespace detail

}  // namespace polder
