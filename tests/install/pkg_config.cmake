# The file for pkg-config in PREFIX leads to the headers there and names the version.
set(ENV{PKG_CONFIG_PATH} "${PREFIX}/share/pkgconfig")
execute_process(COMMAND "${PKG_CONFIG}" --modversion polder
    OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${PKG_CONFIG}" --variable=includedir polder
    OUTPUT_VARIABLE folder OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
if(NOT version STREQUAL VERSION)
    message(FATAL_ERROR "polder.pc has the version '${version}', expected '${VERSION}'")
endif()
if(NOT EXISTS "${folder}/polder/polder.hpp")
    message(FATAL_ERROR "polder.pc says that headers are in '${folder}'; there is no polder/polder.hpp")
endif()
