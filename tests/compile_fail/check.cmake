# Compiles SOURCE with its mistake, which must fail with the expected sentences, and with its cure,
# which must compile, so that the failure is for the stated reason.

file(STRINGS "${SOURCE}" expectations REGEX "^// expect: ")
if(NOT expectations)
    message(FATAL_ERROR "${SOURCE}: expected a line '// expect: <what the compiler must print>'")
endif()

set(command "${COMPILER}" ${OPTIONS} -fsyntax-only)
foreach(folder IN LISTS SYSTEM_INCLUDES)
    list(APPEND command -isystem "${folder}")
endforeach()
list(APPEND command "${SOURCE}")
file(STRINGS "${SOURCE}" flags REGEX "^// flags: " LIMIT_COUNT 1)
string(REPLACE "// flags: " "" flags "${flags}")
file(STRINGS "${SOURCE}" lines REGEX "^// lines: " LIMIT_COUNT 1)
# The precompiled header is that of OPTIONS alone, and its name would add a line to the message.
if(NOT flags AND NOT lines)
    list(APPEND command -include "${PRECOMPILED}")
endif()

execute_process(COMMAND ${command}
    RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT status EQUAL 0)
    message(FATAL_ERROR "${SOURCE}: the cure does not compile:\n${output}")
endif()

execute_process(COMMAND ${command} -D POLDER_MISTAKE ${flags}
    RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(status EQUAL 0)
    message(FATAL_ERROR "${SOURCE}: the mistake compiles")
endif()
foreach(expectation IN LISTS expectations)
    string(REPLACE "// expect: " "" sentence "${expectation}")
    string(FIND "${output}" "${sentence}" position)
    if(position EQUAL -1)
        message(FATAL_ERROR "${SOURCE}: the compiler does not print '${sentence}', but:\n${output}")
    endif()
endforeach()

# "// lines: 12": so long may all of it be.
if(lines)
    string(REPLACE "// lines: " "" most "${lines}")
    string(REGEX MATCHALL "\n" ends "${output}")
    list(LENGTH ends found)
    if(found GREATER most)
        message(FATAL_ERROR "${SOURCE}: ${found} lines, expected at most ${most}:\n${output}")
    endif()
endif()
