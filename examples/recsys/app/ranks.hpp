/// The processes that mpirun has started together.
#pragma once

#include "recsys/ranks.hpp"

namespace polder::recsys::app {

/// Holds MPI, where mpirun has started several processes, for as long as the program runs. All of them but the first are silent
/// from here on.
class MpiSession {
public:
    /// Throws std::invalid_argument where there are several and the program was built without MPI.
    MpiSession();
    MpiSession(MpiSession const&) = delete;
    MpiSession& operator=(MpiSession const&) = delete;
    ~MpiSession();
};

/// These processes; null where this one is alone.
Ranks const& ranks();

/// Whether this process is the one that writes: alone, or rank 0.
bool writes();

/// To be called where the program fails. Ends the other ranks where they meet this one next. Returns whether it is up to this
/// process to say what has failed: it is alone, or the first rank that has failed.
bool speaks_of_failure();

}  // namespace polder::recsys::app
