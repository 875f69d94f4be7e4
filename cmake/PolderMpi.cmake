# MPI, which polder-recsys, the tests and the example need for several ranks and nothing else does.
set(MPI_CXX_SKIP_MPICXX ON)
find_package(MPI QUIET COMPONENTS CXX)
set(POLDER_MPI_FOUND ${MPI_CXX_FOUND})
if(NOT POLDER_MPI_FOUND)
    polder_missing("several ranks in polder-recsys, tests and an example" MPI "libopenmpi-dev openmpi-bin")
endif()
option(POLDER_MORE_RANKS "Run the tests of several ranks also with 3 and 4" OFF)

# polder_add_mpi_test(<name> <ranks> <program> [<argument>...])
function(polder_add_mpi_test name ranks program)
    add_test(NAME "${name}" COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks} ${MPIEXEC_PREFLAGS}
        $<TARGET_FILE:${program}> ${MPIEXEC_POSTFLAGS} ${ARGN})
    set_property(TEST "${name}" PROPERTY LABELS mpi)
    set_property(TEST "${name}" PROPERTY PROCESSORS ${ranks})
    polder_test_environment("${name}")
    polder_mpi_environment("${name}")
endfunction()

# polder_mpi_environment(<test>): after polder_test_environment. A rank that waits for ever is an error. Containers have one user,
# root, and no right to read the memory of another process. Where there are fewer processors than ranks, one that waits has to make
# room, and it must not be bound to the same one as another.
function(polder_mpi_environment name)
    set_property(TEST "${name}" PROPERTY TIMEOUT 600)
    set_property(TEST "${name}" APPEND PROPERTY ENVIRONMENT
        OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
        OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1
        OMPI_MCA_hwloc_base_binding_policy=none
        OMPI_MCA_btl_vader_single_copy_mechanism=none
        OMP_NUM_THREADS=1)
endfunction()
