/// The only macros of polder. Both are empty or set by the compiler; neither changes the meaning of
/// a type.
///
/// POLDER_HOST_DEVICE  marks the scalar functions of policies, so that a CUDA compiler can call
///                     them in kernels. Empty for a host compiler.
/// POLDER_RESTRICT     the compiler's promise that two pointers of one pass never overlap.
#pragma once

#if defined(__CUDACC__)
#define POLDER_HOST_DEVICE __host__ __device__
#else
#define POLDER_HOST_DEVICE
#endif

#if defined(_MSC_VER)
#define POLDER_RESTRICT __restrict
#define POLDER_NOINLINE __declspec(noinline)
#define POLDER_INLINE POLDER_HOST_DEVICE __forceinline
#define POLDER_INLINE_LAMBDA
#else
#define POLDER_RESTRICT __restrict__
#define POLDER_NOINLINE __attribute__((noinline))
#define POLDER_INLINE POLDER_HOST_DEVICE __attribute__((always_inline)) inline
#define POLDER_INLINE_LAMBDA __attribute__((always_inline))
#endif

// POLDER_INDEPENDENT says of the loop that follows that its iterations do not depend on one another. Clang warns of
// such loops that it cannot vectorise, now at the loop, now at its function: the other two turn that off around a function.
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
