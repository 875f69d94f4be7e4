# Catch2 of either generation, and how test programs are made and registered.

# Debian 12 has Catch2 2.13, Ubuntu 24.04 has 3: the first brings a header, the second a library.
find_package(Catch2 QUIET)
if(Catch2_FOUND)
    if(Catch2_VERSION VERSION_LESS 3)
        add_library(polder_catch_main STATIC "${PROJECT_SOURCE_DIR}/tests/support/catch_main.cpp")
        target_compile_options(polder_catch_main PRIVATE -O0)
        target_link_libraries(polder_catch_main PUBLIC Catch2::Catch2)
        target_link_libraries(polder_catch_main PRIVATE polder_project_options)
        target_compile_features(polder_catch_main PUBLIC cxx_std_20)
        # Version 3 does so unasked.
        set(POLDER_CATCH_FAIL_WITHOUT_CASES -w NoTests)
    else()
        add_library(polder_catch_main INTERFACE)
        target_link_libraries(polder_catch_main INTERFACE Catch2::Catch2WithMain)
        set(POLDER_CATCH_FAIL_WITHOUT_CASES)
    endif()
endif()

# All programs that carry sanitizers well and that a second compiler should see.
add_custom_target(polder_test_programs)

# Where addresses are random over more bits than ThreadSanitizer knows, it stops at start-up
# (g++ 13 on Ubuntu 24.04); setarch turns that off where the system lets it.
set(POLDER_TEST_LAUNCHER)
if(POLDER_SANITIZE MATCHES "thread")
    find_program(POLDER_SETARCH setarch)
    mark_as_advanced(POLDER_SETARCH)
    if(POLDER_SETARCH)
        execute_process(COMMAND "${POLDER_SETARCH}" --addr-no-randomize "${CMAKE_COMMAND}" -E true
            RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
        if(status EQUAL 0)
            set(POLDER_TEST_LAUNCHER "${POLDER_SETARCH}" --addr-no-randomize)
        endif()
    endif()
endif()

# polder_test_environment(<test>...): the settings that every registered test shares.
function(polder_test_environment)
    foreach(test IN LISTS ARGN)
        set_property(TEST "${test}" APPEND PROPERTY ENVIRONMENT
            "POLDER_SHARED=${POLDER_SHARED}"
            "OMP_WAIT_POLICY=passive"  # ctest runs several programs at once
            "UBSAN_OPTIONS=print_stacktrace=1"
            "LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/support/leaks.txt:print_suppressions=0"
            "TSAN_OPTIONS=halt_on_error=1")
    endforeach()
endfunction()

# polder_add_test(<name> SOURCES <file>... [LIBRARIES <target>...] [PRECOMPILE <header>...]
#                 [LABELS <label>...] [VARIANTS <NAME=value>...])
#
# One Catch2 program of all sources. With VARIANTS each entry is there once with each of these in its environment.
# ctest gets an entry for each source that has test cases, named
# <name>/<folder>/<file>, which runs the cases of that file, with sanitizers those that are not tagged [numbers]. Under the thread sanitizer the program
# has only the sources with cases tagged [threads], and one entry <name>/threads runs those.
function(polder_add_test name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBRARIES;PRECOMPILE;LABELS;VARIANTS")
    if(NOT arg_SOURCES)
        message(FATAL_ERROR "polder_add_test(${name}): SOURCES names no file")
    endif()

    if(POLDER_SANITIZE MATCHES "thread")
        set(sources)
        set(have_tagged FALSE)
        foreach(source IN LISTS arg_SOURCES)
            file(STRINGS "${source}" cases REGEX "(TEST_CASE|SCENARIO)" LIMIT_COUNT 1)
            file(STRINGS "${source}" tagged REGEX "\\[threads\\]" LIMIT_COUNT 1)
            if(tagged)
                set(have_tagged TRUE)
            endif()
            if(tagged OR NOT cases)
                list(APPEND sources "${source}")
            endif()
        endforeach()
        if(NOT have_tagged)
            return()
        endif()
        set(arg_SOURCES ${sources})
    endif()

    add_executable(${name} ${arg_SOURCES})
    add_dependencies(polder_test_programs ${name})
    target_link_libraries(${name} PRIVATE
        polder::polder polder_project_options polder_catch_main ${arg_LIBRARIES})
    target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
    target_compile_definitions(${name} PRIVATE
        POLDER_SHARED="${POLDER_SHARED}" POLDER_SOURCE="${PROJECT_SOURCE_DIR}")
    # A higher level takes longer to compile than the tests then save. -O0 would slow the libraries, too: where a test and a
    # library both contain a template, the linker keeps the test's copy.
    if(CMAKE_BUILD_TYPE STREQUAL "Release" AND CMAKE_CXX_FLAGS_RELEASE MATCHES "-O3")
        target_compile_options(${name} PRIVATE -O1)
    endif()
    polder_compile_together(${name} 8)
    # It replaces operator new and delete. In one file with other code g++ inlines one of the two and warns that they do not match.
    set_source_files_properties("${PROJECT_SOURCE_DIR}/tests/support/count_allocations.cpp"
        PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    target_precompile_headers(${name} PRIVATE
        "${PROJECT_SOURCE_DIR}/tests/support/catch.hpp" ${arg_PRECOMPILE})

    set(run ${POLDER_TEST_LAUNCHER} $<TARGET_FILE:${name}> ${POLDER_CATCH_FAIL_WITHOUT_CASES})
    if(POLDER_SANITIZE MATCHES "thread")
        add_test(NAME "${name}/threads" COMMAND ${run} "[threads]")
        set_property(TEST "${name}/threads" PROPERTY LABELS threads)
        polder_test_environment("${name}/threads")
        return()
    endif()

    # Long cases that ask for numbers, and whose code other cases run.
    set(but_numbers "")
    if(POLDER_SANITIZE)
        set(but_numbers "~[numbers]")
    endif()
    foreach(source IN LISTS arg_SOURCES)
        file(STRINGS "${source}" cases REGEX "(TEST_CASE|SCENARIO)" LIMIT_COUNT 1)
        if(NOT cases)
            continue()
        endif()
        cmake_path(GET source STEM stem)
        cmake_path(GET source PARENT_PATH folder)
        cmake_path(GET folder FILENAME folder)
        set(test "${name}/${folder}/${stem}")
        set(variants "${arg_VARIANTS}")
        if(NOT variants)
            set(variants NONE)
        endif()
        foreach(variant IN LISTS variants)
            set(entry "${test}")
            if(arg_VARIANTS)
                string(REGEX REPLACE ".*=" "" value "${variant}")
                string(APPEND entry "/${value}")
            endif()
            # "-#" tags every case with the name of its file.
            add_test(NAME "${entry}" COMMAND ${run} "-#" "[#${stem}]${but_numbers}")
            set_property(TEST "${entry}" PROPERTY LABELS ${name} ${arg_LABELS})
            polder_test_environment("${entry}")
            if(arg_VARIANTS)
                set_property(TEST "${entry}" APPEND PROPERTY ENVIRONMENT "${variant}")
            endif()
        endforeach()
    endforeach()
endfunction()

# polder_add_golden_test(<name> <program> <folder> [<argument>...]): runs `program --dir folder`,
# skipped where the folder is absent.
function(polder_add_golden_test name program folder)
    add_test(NAME ${name} COMMAND "${CMAKE_COMMAND}"
        -D "PROGRAM=$<TARGET_FILE:${program}>" -D "FOLDER=${folder}" -D "ARGUMENTS=${ARGN}"
        -P "${PROJECT_SOURCE_DIR}/cmake/run_golden.cmake")
    set_property(TEST ${name} PROPERTY SKIP_REGULAR_EXPRESSION "^SKIPPED: ")
    set_property(TEST ${name} PROPERTY LABELS golden)
    polder_test_environment(${name})
endfunction()

# polder_skip_without_cuda(<name>): a test that needs a GPU, in a build that cannot have it.
function(polder_skip_without_cuda name)
    add_test(NAME ${name} COMMAND "${CMAKE_COMMAND}" -E echo
        "SKIPPED: ${name}: built without CUDA; configure with -DPOLDER_CUDA=ON")
    set_property(TEST ${name} PROPERTY LABELS gpu)
    set_property(TEST ${name} PROPERTY SKIP_REGULAR_EXPRESSION "^SKIPPED: ")
endfunction()

# polder_precompile(<variable> <line> <option>...): precompiles a header that has this line, with the options. The variable gets
# the header's path, for "-include", and <variable>_compiled the file that a target depends on.
function(polder_precompile variable line)
    set(header "${CMAKE_CURRENT_BINARY_DIR}/precompiled.hpp")
    file(WRITE "${header}.in" "${line}\n")
    file(COPY_FILE "${header}.in" "${header}" ONLY_IF_DIFFERENT)
    set(compiled "${header}.gch")
    if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
        set(compiled "${header}.pch")
    endif()
    add_custom_command(OUTPUT "${compiled}"
        COMMAND "${CMAKE_CXX_COMPILER}" ${ARGN} -MD -MF "${header}.d" -MT "${compiled}"
            -x c++-header "${header}" -o "${compiled}"
        DEPENDS "${header}"
        DEPFILE "${header}.d"
        COMMENT "Precompiling ${line}")
    set(${variable} "${header}" PARENT_SCOPE)
    set(${variable}_compiled "${compiled}" PARENT_SCOPE)
endfunction()
