# tools/single_header writes one file, with which a program compiles and runs where there is no other header of polder.
file(REMOVE_RECURSE "${BUILD}")
file(MAKE_DIRECTORY "${BUILD}/polder")
execute_process(COMMAND "${SOURCE}/tools/single_header" "${BUILD}/polder/polder.hpp" COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${COMPILER}" -std=c++20 -g -I "${BUILD}" "${SOURCE}/tests/install/main.cpp" -o "${BUILD}/consumer"
    COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${BUILD}/consumer" COMMAND_ERROR_IS_FATAL ANY)
if(NOT GDB)
    return()
endif()
# In gdb, whose printers show the optimizer after two steps, and its last report.
execute_process(
    COMMAND "${GDB}" -batch -nx -iex "set auto-load off" -ex "source ${SOURCE}/tools/gdb/polder.py"
        -ex "break printf" -ex run -ex up -ex "print optimizer" -ex finish "${BUILD}/consumer"
    OUTPUT_VARIABLE output ERROR_VARIABLE errors)
if(errors MATCHES "ptrace|not permitted|Couldn't get|not being run")
    return()  # containers may forbid it
endif()
if(NOT output MATCHES "polder::BSAM<polder::SGD[^\n]* {step = \"?2\"?, method = ")
    message(FATAL_ERROR "gdb prints\n${output}${errors}\nexpected 'polder::BSAM<polder::SGD, ...> {step = 2, method = ...'")
endif()
