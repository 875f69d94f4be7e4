/// Whether there is a GPU for the programs that compare with references.
#pragma once

#if defined(POLDER_GOLDEN_CUDA)
#include <cuda_runtime_api.h>
#endif

namespace golden {

/// False as well where the program was built without CUDA.
inline bool has_gpu() {
#if defined(POLDER_GOLDEN_CUDA)
    int count = 0;
    return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
#else
    return false;
#endif
}

}  // namespace golden
