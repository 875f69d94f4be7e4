/// The macros of polder, besides those of error.hpp. None changes the meaning of a type.
///
/// POLDER_HOST_DEVICE       marks the scalar functions of policies, so that a CUDA compiler can call them in kernels.
///                          Empty for a host compiler.
/// POLDER_INLINE            a function that is always inlined, for host and device; POLDER_INLINE_LAMBDA: a lambda
/// POLDER_LOOP              a function that has a loop over coordinates: not inlined, so that it may use all registers
/// POLDER_COLD              a function that is seldom called (a first step, a copy, an error): small rather than fast. Only where
///                          a condition leads to it: what calls it always is taken to be cold, too.
/// POLDER_APART             a function that is not inlined, since several callers share it
/// POLDER_OPENMP_MARK       a class or function that depends on whether OpenMP is on: its name carries a mark where it is
/// POLDER_INDEPENDENT       the iterations of the loop that follows do not depend on one another
/// POLDER_NO_PASS_WARNINGS  until POLDER_PASS_WARNINGS clang does not warn of loops that it cannot vectorise
#pragma once

// Without not-a-number there is no NonFinite::raise, and no check of a hyper-parameter.
#if defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ != 0
#error                                                                                             \
    "polder: -ffast-math and -ffinite-math-only leave out all checks for values that are not finite; add -fno-finite-math-only"
#endif

#if defined(__CUDACC__)
#define POLDER_HOST_DEVICE __host__ __device__
#else
#define POLDER_HOST_DEVICE
#endif

#if defined(_MSC_VER)
#define POLDER_LOOP __declspec(noinline)
#define POLDER_APART __declspec(noinline)
#define POLDER_COLD __declspec(noinline)
#define POLDER_INLINE POLDER_HOST_DEVICE __forceinline
#define POLDER_INLINE_LAMBDA
#else
#define POLDER_LOOP __attribute__((noinline))
#define POLDER_APART __attribute__((noinline))
#define POLDER_COLD __attribute__((noinline, cold))
#define POLDER_INLINE POLDER_HOST_DEVICE __attribute__((always_inline)) inline
#define POLDER_INLINE_LAMBDA __attribute__((always_inline))
#endif

// Two translation units of a program, one with OpenMP and one without, must not share a function that depends on it: the linker
// keeps one of the two, whichever comes first.
#if defined(_OPENMP) && defined(__GNUC__)
#define POLDER_OPENMP_MARK __attribute__((abi_tag("openmp")))
#else
#define POLDER_OPENMP_MARK
#endif

// Clang warns of independent loops that it cannot vectorise, sometimes at the loop and sometimes at its function. So the
// warning has to be off around the whole function.
#define POLDER_NO_PASS_WARNINGS
#define POLDER_PASS_WARNINGS
#if defined(__clang__)
#undef POLDER_NO_PASS_WARNINGS
#undef POLDER_PASS_WARNINGS
#define POLDER_NO_PASS_WARNINGS                                                                    \
    _Pragma("clang diagnostic push") _Pragma("clang diagnostic ignored \"-Wpass-failed\"")
#define POLDER_PASS_WARNINGS _Pragma("clang diagnostic pop")
#define POLDER_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define POLDER_INDEPENDENT _Pragma("GCC ivdep")
#else
#define POLDER_INDEPENDENT
#endif
