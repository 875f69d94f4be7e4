// The cases of these files run on all ranks of an MPI program at the same time.

#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_RUNNER
#endif
#include "support/catch.hpp"

#include <stdexcept>

#include <polder/mpi.hpp>

namespace {

bool is_refused_before_init() {
    try {
        const polder::Mpi ranks(MPI_COMM_WORLD);
    } catch (std::logic_error const&) {
        return true;
    }
    return false;
}

}  // namespace

int main(int argc, char** argv) {
    const bool is_refused = is_refused_before_init();
    MPI_Init(&argc, &argv);
    const int failed = Catch::Session().run(argc, argv) == 0 && is_refused ? 0 : 1;
    int any = 0;
    MPI_Allreduce(&failed, &any, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    MPI_Finalize();
    return any;
}
