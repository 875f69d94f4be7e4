# Libraries whose containers tests and examples use, beside Eigen and xtensor: the targets
# polder_armadillo, polder_thrust and polder_torch, where they are found.

include(CheckCXXSourceCompiles)

find_package(Armadillo QUIET)
find_path(POLDER_THRUST_INCLUDE_DIR thrust/host_vector.h)
mark_as_advanced(POLDER_THRUST_INCLUDE_DIR)

if(ARMADILLO_FOUND)
    add_library(polder_armadillo INTERFACE IMPORTED)
    target_include_directories(polder_armadillo INTERFACE ${ARMADILLO_INCLUDE_DIRS})
    target_link_libraries(polder_armadillo INTERFACE ${ARMADILLO_LIBRARIES})
else()
    polder_missing("tests and examples with Armadillo" Armadillo libarmadillo-dev)
endif()

# A folder with ensmallen.hpp, for the tests and the example that compare with it. They run without it, too.
find_path(POLDER_ENSMALLEN ensmallen.hpp)
if(ARMADILLO_FOUND AND POLDER_ENSMALLEN)
    target_include_directories(polder_armadillo INTERFACE "${POLDER_ENSMALLEN}")
    target_compile_definitions(polder_armadillo INTERFACE POLDER_ENSMALLEN)
endif()

if(POLDER_THRUST_INCLUDE_DIR)
    add_library(polder_thrust INTERFACE IMPORTED)
    target_include_directories(polder_thrust INTERFACE "${POLDER_THRUST_INCLUDE_DIR}")
    # Its device is this processor, so that no CUDA is needed.
    target_compile_definitions(polder_thrust INTERFACE
        THRUST_DEVICE_SYSTEM=THRUST_DEVICE_SYSTEM_CPP)
else()
    polder_missing("tests with Thrust's vectors" Thrust libthrust-dev)
endif()

# torch comes in a Python package or in the system's folders. Its own CMake package is not asked, since
# it stops the configuration where torch was built for CUDA and there is no CUDA.
function(polder_find_torch)
    # What was found once may have been uninstalled or moved since.
    if(POLDER_TORCH_LIBRARY_torch_cpu AND NOT EXISTS "${POLDER_TORCH_LIBRARY_torch_cpu}")
        foreach(known IN ITEMS INCLUDE_DIR API_INCLUDE_DIR LIBRARY_torch_cpu LIBRARY_c10
                COMPILES)
            unset(POLDER_TORCH_${known} CACHE)
        endforeach()
    endif()

    set(prefixes ${CMAKE_PREFIX_PATH})
    if(Torch_DIR)
        cmake_path(APPEND Torch_DIR "../../.." OUTPUT_VARIABLE prefix)
        list(APPEND prefixes "${prefix}")
    endif()
    find_program(POLDER_PYTHON NAMES python3 python)
    mark_as_advanced(POLDER_PYTHON)
    if(POLDER_PYTHON)
        # (To import it takes seconds.)
        execute_process(
            COMMAND "${POLDER_PYTHON}" -c
                "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])"
            OUTPUT_VARIABLE package OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
        list(APPEND prefixes ${package})
    endif()

    find_path(POLDER_TORCH_INCLUDE_DIR ATen/ATen.h HINTS ${prefixes} PATH_SUFFIXES include)
    find_path(POLDER_TORCH_API_INCLUDE_DIR torch/torch.h
        HINTS "${POLDER_TORCH_INCLUDE_DIR}/torch/csrc/api/include")
    mark_as_advanced(POLDER_TORCH_INCLUDE_DIR POLDER_TORCH_API_INCLUDE_DIR)
    # (libtorch itself is left out: in packages for CUDA it needs CUDA's libraries.)
    set(libraries)
    foreach(name IN ITEMS torch_cpu c10)
        find_library(POLDER_TORCH_LIBRARY_${name} ${name} HINTS ${prefixes} PATH_SUFFIXES lib)
        mark_as_advanced(POLDER_TORCH_LIBRARY_${name})
        list(APPEND libraries "${POLDER_TORCH_LIBRARY_${name}}")
    endforeach()
    list(APPEND libraries "${POLDER_TORCH_INCLUDE_DIR}" "${POLDER_TORCH_API_INCLUDE_DIR}")
    if(libraries MATCHES "NOTFOUND")
        polder_missing("tests and examples with torch" torch "libtorch-dev, or pip install torch")
        return()
    endif()

    # Not every release compiles with every compiler: 1.13 does not with clang in C++20.
    set(CMAKE_CXX_STANDARD 20)
    set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
    set(CMAKE_REQUIRED_QUIET TRUE)
    set(CMAKE_REQUIRED_INCLUDES "${POLDER_TORCH_INCLUDE_DIR}" "${POLDER_TORCH_API_INCLUDE_DIR}")
    check_cxx_source_compiles("#include <torch/torch.h>" POLDER_TORCH_COMPILES)
    if(NOT POLDER_TORCH_COMPILES)
        message(STATUS "polder: tests and examples with torch left out: this compiler does not compile"
            " ${POLDER_TORCH_API_INCLUDE_DIR}/torch/torch.h")
        return()
    endif()

    add_library(polder_torch INTERFACE IMPORTED GLOBAL)
    target_include_directories(polder_torch INTERFACE
        "${POLDER_TORCH_INCLUDE_DIR}" "${POLDER_TORCH_API_INCLUDE_DIR}")
    # By flags, since CMake warns of a folder with a libgomp of its own in a search path that it makes.
    cmake_path(GET POLDER_TORCH_LIBRARY_torch_cpu PARENT_PATH folder)
    target_link_options(polder_torch INTERFACE "-L${folder}" "LINKER:-rpath,${folder}")
    target_link_libraries(polder_torch INTERFACE torch_cpu c10)
    # Releases before 2.6 were built with libstdc++'s old strings, and say so.
    set(config "${POLDER_TORCH_INCLUDE_DIR}/../share/cmake/Torch/TorchConfig.cmake")
    if(EXISTS "${config}")
        file(STRINGS "${config}" old_strings REGEX "_GLIBCXX_USE_CXX11_ABI=0")
        if(old_strings)
            target_compile_definitions(polder_torch INTERFACE _GLIBCXX_USE_CXX11_ABI=0)
        endif()
    endif()
endfunction()
polder_find_torch()
