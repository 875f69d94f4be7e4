# Configures and builds the project in SOURCE, from an empty folder BUILD. Runs its program, or with INSTALL installs it into
# BUILD/prefix.
file(REMOVE_RECURSE "${BUILD}")
execute_process(COMMAND "${CMAKE_COMMAND}" -S "${SOURCE}" -B "${BUILD}" -G "${GENERATOR}"
        "-DCMAKE_CXX_COMPILER=${COMPILER}" ${ARGUMENTS}
    COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${CMAKE_COMMAND}" --build "${BUILD}" COMMAND_ERROR_IS_FATAL ANY)
if(INSTALL)
    execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${BUILD}/prefix" COMMAND_ERROR_IS_FATAL ANY)
else()
    execute_process(COMMAND "${BUILD}/consumer" COMMAND_ERROR_IS_FATAL ANY)
endif()
