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
#else
#define POLDER_RESTRICT __restrict__
#define POLDER_NOINLINE __attribute__((noinline))
#endif
