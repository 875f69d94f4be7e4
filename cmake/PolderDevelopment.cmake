# What the project's own programs need and a user's must not inherit: warnings, sanitizers, where
# programs go, compiler cache, linker.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

option(POLDER_NATIVE "Compile the project's own programs for this processor" ${PROJECT_IS_TOP_LEVEL})
option(POLDER_WARNINGS_AS_ERRORS "Stop at warnings in the project's own programs" OFF)
option(POLDER_UNITY "Compile several files of a program as one: less time for all of them, more for one" ON)
set(POLDER_SANITIZE "" CACHE STRING "Value of -fsanitize= for the project's own programs")

# Reference data that lies beside the repository. Tests that need it skip where it is absent.
if(DEFINED ENV{POLDER_SHARED})
    set(POLDER_SHARED "$ENV{POLDER_SHARED}" CACHE PATH "Folder of the reference data" FORCE)
else()
    cmake_path(SET polder_shared_default NORMALIZE "${PROJECT_SOURCE_DIR}/../shared")
    set(POLDER_SHARED "${polder_shared_default}" CACHE PATH "Folder of the reference data")
endif()

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_EXTENSIONS OFF)

find_program(POLDER_CCACHE ccache)
mark_as_advanced(POLDER_CCACHE)
if(POLDER_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # The settings are those that ccache's manual asks for where headers are precompiled.
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
        "${POLDER_CCACHE}")
endif()

# mold and lld link the test programs in a fraction of a second each.
find_program(POLDER_LINKER NAMES mold ld.lld)
mark_as_advanced(POLDER_LINKER)

add_library(polder_project_options INTERFACE)
target_compile_options(polder_project_options INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion
    # One rounding per operation, so that results do not depend on the processor or the compiler.
    -ffp-contract=off
    $<$<BOOL:${POLDER_WARNINGS_AS_ERRORS}>:-Werror>
    $<$<BOOL:${POLDER_NATIVE}>:-march=native>)
if(POLDER_LINKER)
    cmake_path(GET POLDER_LINKER FILENAME linker)
    string(REPLACE "ld.lld" "lld" linker "${linker}")
    target_link_options(polder_project_options INTERFACE -fuse-ld=${linker})
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # A tenth of g++'s time goes to looking for memory that it can use again. Where each core has 4 GB, it looks for it later.
    cmake_host_system_information(RESULT memory QUERY TOTAL_PHYSICAL_MEMORY)
    cmake_host_system_information(RESULT cores QUERY NUMBER_OF_LOGICAL_CORES)
    math(EXPR memory_of_core "${memory} / ${cores}")  # MB
    if(memory_of_core GREATER_EQUAL 4000)
        target_compile_options(polder_project_options INTERFACE
            $<$<COMPILE_LANGUAGE:CXX>:--param=ggc-min-heapsize=1000000>)
    endif()
    if(POLDER_CCACHE)
        target_compile_options(polder_project_options INTERFACE -fpch-preprocess)
    endif()
    # Warnings of the data-flow analysis look into the standard library, and their false alarms come
    # and go with releases and instrumentation: they are shown and stop nothing.
    target_compile_options(polder_project_options INTERFACE
        -Wno-error=array-bounds -Wno-error=maybe-uninitialized -Wno-error=restrict
        -Wno-error=stringop-overflow -Wno-error=stringop-overread)
    if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
        # g++ 12: "text" + std::string alarms (its bug 105651), and so do the undefined operands that its
        # AVX-512 intrinsics start from (105593). clang looks for the real ones.
        target_compile_options(polder_project_options INTERFACE
            -Wno-restrict -Wno-stringop-overflow -Wno-uninitialized -Wno-maybe-uninitialized)
    endif()
endif()

if(POLDER_SANITIZE)
    target_compile_options(polder_project_options INTERFACE
        -fsanitize=${POLDER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(polder_project_options INTERFACE -fsanitize=${POLDER_SANITIZE})
    target_compile_definitions(polder_project_options INTERFACE POLDER_SANITIZED)
endif()

# polder_missing(<what is left out> <package> <apt package>): one line that says what and why.
function(polder_missing left_out package apt_package)
    message(STATUS "polder: ${left_out} left out: ${package} is not found (apt: ${apt_package})")
endfunction()

# polder_compile_together(<target> <files>): compiles up to <files> files of the target as one, since most of the time of
# each goes to templates that all of them use. Names in their anonymous namespaces have to differ.
function(polder_compile_together target files)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ${POLDER_UNITY} UNITY_BUILD_BATCH_SIZE ${files})
    if(POLDER_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        # The warning is about anonymous namespaces in headers. An included .cpp file is not one, but g++ cannot tell.
        target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
    endif()
endfunction()
