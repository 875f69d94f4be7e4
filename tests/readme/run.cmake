# Runs PROGRAM; what it prints must be the text of EXPECTED, where that file exists.
execute_process(COMMAND "${PROGRAM}" OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
if(EXISTS "${EXPECTED}")
    file(READ "${EXPECTED}" expected)
    if(NOT output STREQUAL expected)
        message(FATAL_ERROR "${PROGRAM} prints\n${output}\nwhere the page shows\n${expected}")
    endif()
endif()
