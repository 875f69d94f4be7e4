# Runs PROGRAM --dir FOLDER ARGUMENTS, or says that it is skipped where FOLDER is absent.
if(NOT IS_DIRECTORY "${FOLDER}")
    message(NOTICE "SKIPPED: ${FOLDER} is not a folder; set POLDER_SHARED to the folder of the reference data")
    return()
endif()
execute_process(COMMAND "${PROGRAM}" --dir "${FOLDER}" ${ARGUMENTS} RESULT_VARIABLE status)
if(status EQUAL 77)  # it has said why it is skipped
    return()
endif()
if(NOT status EQUAL 0)
    message(FATAL_ERROR "${PROGRAM} --dir ${FOLDER}: ended with ${status}")
endif()
