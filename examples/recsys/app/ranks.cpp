#include "recsys/app/ranks.hpp"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#if defined(POLDER_RECSYS_MPI)
#include <polder/mpi.hpp>
#endif

namespace polder::recsys::app {

namespace {

Ranks& all_ranks() {
    static Ranks ranks;
    return ranks;
}

// What mpirun of Open MPI, or that of MPICH, says in the environment; 0 without it.
int said_by_mpirun(std::string const& what) {
    for (auto const* prefix : {"OMPI_COMM_WORLD_", "PMI_"})
        if (auto const* const text = std::getenv((prefix + what).c_str())) return std::atoi(text);
    return 0;
}

}  // namespace

MpiSession::MpiSession() {
    int const size = said_by_mpirun("SIZE");
    if (size <= 1) return;
    if (said_by_mpirun("RANK") > 0) {
        spdlog::set_level(spdlog::level::off);
        if (std::freopen("/dev/null", "w", stdout) == nullptr) std::fclose(stdout);
    }
#if defined(POLDER_RECSYS_MPI)
    int given = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &given);
    all_ranks() = Mpi(MPI_COMM_WORLD, {.reduction = Reduction::sum});
#else
    throw std::invalid_argument(
        fmt::format("mpirun has started {} processes, but this program was built without MPI, so "
                    "that each would do the same; configure where MPI is found (apt: "
                    "libopenmpi-dev openmpi-bin)",
                    size));
#endif
}

MpiSession::~MpiSession() {
#if defined(POLDER_RECSYS_MPI)
    if (!ranks()) return;
    all_ranks().reset();
    MPI_Finalize();
#endif
}

Ranks const& ranks() { return all_ranks(); }

bool writes() { return !ranks() || ranks()->rank == 0; }

bool speaks_of_failure() {
    auto const& all = ranks();
    if (!all) return true;
    if (!all->outcome.heard) all->failed();
    if (all->outcome.faulty != all->rank) return false;
    if (all->rank > 0) {
        spdlog::set_level(spdlog::level::info);
        spdlog::set_pattern(fmt::format("%n: %^%l%$: rank {}: %v", all->rank));
    }
    return true;
}

}  // namespace polder::recsys::app
