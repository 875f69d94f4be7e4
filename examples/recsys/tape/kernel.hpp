/// How functions of entries get into kernels.
#pragma once

/// Marks the functions that an operation gives to the loops of a back end:
///
///     backend.map([w] POLDER_IN_KERNEL(T& out, T in) { out = w * in; }, y, x);
///
/// A CUDA compiler (with --extended-lambda) makes them functions of the device. Such a function captures
/// numbers by value, has parameters of known types, and stands in no private member function.
#if defined(__CUDACC__)
#define POLDER_IN_KERNEL __device__
#else
#define POLDER_IN_KERNEL
#endif
