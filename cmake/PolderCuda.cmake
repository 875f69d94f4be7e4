# CUDA for the project's own tests and examples: POLDER_CUDA_FOUND says whether they are compiled for GPUs.

# For machines without a GPU, which would run none of them.
option(POLDER_CUDA_SOME_METHODS "Programs have on GPUs only the methods that exchange SAM's ball" OFF)
mark_as_advanced(POLDER_CUDA_SOME_METHODS)

set(POLDER_CUDA_FOUND FALSE)
if(POLDER_CUDA)
    include(CheckLanguage)
    check_language(CUDA)
    if(CMAKE_CUDA_COMPILER)
        if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
            set(CMAKE_CUDA_ARCHITECTURES 80 90)
        endif()
        # nvcc's -O is for the host's code alone, which takes half of the time to compile and none of the time of a step.
        set(CMAKE_CUDA_FLAGS_RELEASE "-O1 -DNDEBUG" CACHE STRING "Options of nvcc in release builds")
        enable_language(CUDA)
        find_package(CUDAToolkit REQUIRED)
        if(TARGET CUDA::cublas AND TARGET CUDA::cusparse)
            set(POLDER_CUDA_FOUND TRUE)
        else()
            message(STATUS "polder: tests and examples for GPUs left out: POLDER_CUDA is on, and cuBLAS or cuSPARSE"
                " is not found")
        endif()
    else()
        message(STATUS "polder: tests and examples for GPUs left out: POLDER_CUDA is on, and nvcc is not found"
            " (CUDACXX names it)")
    endif()
endif()

# What programs of CUDA are compiled with. (CMake 3.25 does not know that nvcc 13 has C++20.)
add_library(polder_cuda_options INTERFACE)
target_compile_options(polder_cuda_options INTERFACE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20>)

# polder_cuda_program(<name> <source>): compiled by nvcc.
function(polder_cuda_program name source)
    add_executable(${name} "${source}")
    target_link_libraries(${name} PRIVATE polder::polder polder_cuda_options CUDA::cudart)
endfunction()
