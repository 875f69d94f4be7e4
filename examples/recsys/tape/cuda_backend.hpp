/// What the tape's back end for devices has on CUDA: warps for rows, cuBLAS for dense products and cuSPARSE for
/// sparse ones. For nvcc, with --expt-relaxed-constexpr and --extended-lambda.
#pragma once

#include <polder/device/cuda_system.hpp>

#include <cstddef>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>

#include <cublas_v2.h>
#include <cusparse.h>

#include "recsys/tape/device_backend.hpp"

namespace polder::recsys {

/// The back end for the GPU that is current, on the default stream.
template <class T>
using CudaBackend = DeviceBackend<T, Cuda>;

namespace detail {

template <>
struct GroupOf<polder::detail::TeamOfBlock> {
    static constexpr unsigned size = 32;
    static constexpr std::size_t count = polder::detail::threads_of_team / size;

    POLDER_HOST_DEVICE static std::size_t index() {
#if defined(__CUDA_ARCH__)
        return threadIdx.x / size;
#else
        return 0;
#endif
    }
    template <class F>
    POLDER_HOST_DEVICE static void for_each([[maybe_unused]] std::size_t n,
                                            [[maybe_unused]] F const& f) {
#if defined(__CUDA_ARCH__)
        for (std::size_t k = threadIdx.x % size; k < n; k += size) f(k);
#endif
    }
    POLDER_HOST_DEVICE static double sum(double value) {
#if defined(__CUDA_ARCH__)
        for (unsigned lanes = size / 2; lanes > 0; lanes /= 2)
            value += __shfl_xor_sync(0xffffffff, value, lanes);
#endif
        return value;
    }
    POLDER_HOST_DEVICE static double max(double value) {
#if defined(__CUDA_ARCH__)
        for (unsigned lanes = size / 2; lanes > 0; lanes /= 2)
            value = std::max(value, __shfl_xor_sync(0xffffffff, value, lanes));
#endif
        return value;
    }
    POLDER_HOST_DEVICE static void wait() {
#if defined(__CUDA_ARCH__)
        __syncwarp();
#endif
    }
};

inline void check_cublas(cublasStatus_t status, char const* call) {
    if (status != CUBLAS_STATUS_SUCCESS)
        throw CudaError("polder: " + std::string(call) + ": " + cublasGetStatusString(status));
}
inline void check_cusparse(cusparseStatus_t status, char const* call) {
    if (status != CUSPARSE_STATUS_SUCCESS)
        throw CudaError("polder: " + std::string(call) + ": " + cusparseGetErrorString(status));
}

template <class Handle, auto destroy>
struct Destroy {
    using pointer = Handle;
    void operator()(Handle handle) const { destroy(handle); }
};
template <class Handle, auto destroy>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy<Handle, destroy>>;

template <>
class Libraries<Cuda> {
public:
    /// Row by row, C = A B is column by column C^T = B^T A^T.
    template <class T>
    void product(Cuda& system, MatrixView<T const> a, Form form_a, MatrixView<T const> b,
                 Form form_b, MatrixView<T> c, bool add, unsigned*) {
        auto const operation = [](Form form) {
            return form == Form::plain ? CUBLAS_OP_N : CUBLAS_OP_T;
        };
        const int rows = size(c.rows), cols = size(c.cols);
        const int inner = size(form_a == Form::plain ? a.cols : a.rows);
        const T one = 1, before = add ? T(1) : T(0);
        auto const multiply = [&](auto gemm) {
            check_cublas(gemm(blas(system), operation(form_b), operation(form_a), cols, rows, inner,
                              &one, b.data, size(b.cols), a.data, size(a.cols), &before, c.data,
                              cols),
                         "cublasGemm");
        };
        if constexpr (std::is_same_v<T, float>)
            multiply(&cublasSgemm);
        else
            multiply(&cublasDgemm);
    }

    /// By the algorithm of cuSPARSE whose results are the same from run to run.
    template <class T>
    bool sparse_product(Cuda& system, Csr<T> const& a, CsrThere<T, Cuda> const& there,
                        MatrixView<T const> x, MatrixView<T> y, bool add) {
        if (a.values.empty()) return false;
        constexpr auto type = std::is_same_v<T, float> ? CUDA_R_32F : CUDA_R_64F;
        constexpr auto plain = CUSPARSE_OPERATION_NON_TRANSPOSE;
        constexpr auto algorithm = CUSPARSE_SPMM_CSR_ALG3;
        auto const extent = [](std::size_t n) { return static_cast<std::int64_t>(n); };
        auto const dense = [&](T* data, std::size_t rows, std::size_t cols) {
            cusparseDnMatDescr_t matrix = nullptr;
            check_cusparse(cusparseCreateDnMat(&matrix, extent(rows), extent(cols), extent(cols),
                                               data, type, CUSPARSE_ORDER_ROW),
                           "cusparseCreateDnMat");
            return Owned<cusparseDnMatDescr_t, &destroy_dense>(matrix);
        };
        cusparseSpMatDescr_t matrix = nullptr;
        check_cusparse(cusparseCreateCsr(
                           &matrix, extent(a.rows), extent(a.cols), extent(a.values.size()),
                           there.offsets.data(), there.columns.data(), there.values.data(),
                           CUSPARSE_INDEX_32I, CUSPARSE_INDEX_32I, CUSPARSE_INDEX_BASE_ZERO, type),
                       "cusparseCreateCsr");
        const Owned<cusparseSpMatDescr_t, &destroy_sparse> sparse(matrix);
        auto const from = dense(const_cast<T*>(x.data), x.rows, x.cols);
        auto const to = dense(y.data, y.rows, y.cols);
        const T one = 1, before = add ? T(1) : T(0);
        std::size_t bytes = 0;
        check_cusparse(cusparseSpMM_bufferSize(sparse_handle(system), plain, plain, &one,
                                               sparse.get(), from.get(), &before, to.get(), type,
                                               algorithm, &bytes),
                       "cusparseSpMM_bufferSize");
        check_cusparse(cusparseSpMM(sparse_handle(system), plain, plain, &one, sparse.get(),
                                    from.get(), &before, to.get(), type, algorithm,
                                    buffer_.reserve(bytes)),
                       "cusparseSpMM");
        return true;
    }

private:
    static void destroy_blas(cublasHandle_t handle) { cublasDestroy(handle); }
    static void destroy_handle(cusparseHandle_t handle) { cusparseDestroy(handle); }
    static void destroy_dense(cusparseDnMatDescr_t matrix) { cusparseDestroyDnMat(matrix); }
    static void destroy_sparse(cusparseSpMatDescr_t matrix) { cusparseDestroySpMat(matrix); }

    static int size(std::size_t n) {
        if (n > static_cast<std::size_t>(std::numeric_limits<int>::max()))
            throw std::length_error("tape: a matrix has " + std::to_string(n) +
                                    " rows or columns, expected less than 2^31");
        return static_cast<int>(n);
    }

    cublasHandle_t blas(Cuda const& system) {
        if (blas_ == nullptr) {
            cublasHandle_t handle = nullptr;
            check_cublas(cublasCreate(&handle), "cublasCreate");
            blas_.reset(handle);
            check_cublas(cublasSetStream(handle, static_cast<cudaStream_t>(system.stream())),
                         "cublasSetStream");
        }
        return blas_.get();
    }
    cusparseHandle_t sparse_handle(Cuda const& system) {
        if (sparse_ == nullptr) {
            cusparseHandle_t handle = nullptr;
            check_cusparse(cusparseCreate(&handle), "cusparseCreate");
            sparse_.reset(handle);
            check_cusparse(cusparseSetStream(handle, static_cast<cudaStream_t>(system.stream())),
                           "cusparseSetStream");
        }
        return sparse_.get();
    }

    Owned<cublasHandle_t, &destroy_blas> blas_;
    Owned<cusparseHandle_t, &destroy_handle> sparse_;
    DeviceBuffer<unsigned char, Cuda> buffer_;
};

}  // namespace detail

}  // namespace polder::recsys
