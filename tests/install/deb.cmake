# The Debian package, made of SOURCE in BUILD: its files compile and run a program, by the flags of its file for pkg-config.
file(REMOVE_RECURSE "${BUILD}")
execute_process(COMMAND "${CMAKE_COMMAND}" -S "${SOURCE}" -B "${BUILD}/build" -G "${GENERATOR}"
        "-DCMAKE_CXX_COMPILER=${COMPILER}" -DPOLDER_BUILD_TESTS=OFF -DPOLDER_BUILD_EXAMPLES=OFF -DPOLDER_BUILD_BENCH=OFF
    COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${CPACK}" -G DEB -B "${BUILD}" WORKING_DIRECTORY "${BUILD}/build" COMMAND_ERROR_IS_FATAL ANY)
file(GLOB packages "${BUILD}/libpolder-dev_*_all.deb")
list(LENGTH packages count)
if(NOT count EQUAL 1)
    message(FATAL_ERROR "expected one package libpolder-dev_VERSION_all.deb in ${BUILD}, found '${packages}'")
endif()
execute_process(COMMAND "${DPKG_DEB}" -x "${packages}" "${BUILD}/root" COMMAND_ERROR_IS_FATAL ANY)
set(ENV{PKG_CONFIG_PATH} "${BUILD}/root/usr/share/pkgconfig")
execute_process(COMMAND "${PKG_CONFIG}" --cflags polder
    OUTPUT_VARIABLE flags OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(flags UNIX_COMMAND "${flags}")
execute_process(COMMAND "${COMPILER}" -std=c++20 ${flags} "${SOURCE}/tests/install/main.cpp" -o "${BUILD}/consumer"
    COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${BUILD}/consumer" COMMAND_ERROR_IS_FATAL ANY)
