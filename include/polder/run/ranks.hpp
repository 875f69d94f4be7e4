/// What a run asks of the other processes that train the same model. polder/mpi.hpp has it by MPI.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <polder/closure/evaluation.hpp>

namespace polder::detail {

// Every rank makes the same calls in the same order, also where something is wrong on one of them.
class Ranks {
public:
    Ranks() = default;
    Ranks(Ranks const&) = delete;
    Ranks& operator=(Ranks const&) = delete;
    virtual ~Ranks() = default;

    // The fault of any rank; if there is none, the losses become their sums over the ranks times `factor`. what: a number that is
    // the same on all ranks. Throws where another rank has failed.
    virtual Fault meet(std::uint64_t what, Fault own, std::span<double> losses, double factor) = 0;
    // Tells the others that an exception ends the step on this rank.
    virtual void failed() = 0;
    // Each value becomes its sum over the ranks.
    virtual void sum(std::span<float> values) = 0;
    virtual void sum(std::span<double> values) = 0;
    virtual void broadcast(std::span<std::byte> values) = 0;  // of rank 0

    // At the begin of each step.
    void begin() {
        fault = Fault::none;
        heard = false;
    }
    std::string where() const {
        return fault == Fault::none ? "" : " on rank " + std::to_string(faulty);
    }

    int rank = 0, size = 1;
    double share = 1;           // of a rank in a mean over all of them
    bool every_pass = true;     // false: u alone is averaged
    bool keep_own = false;      // what a method keeps is not averaged
    bool broadcasts = false;    // all start from what rank 0 has, and do not compare it
    Fault fault = Fault::none;  // of this step, on the rank `faulty`
    int faulty = 0;
    bool heard = false;              // all ranks know of the exception under way
    std::vector<std::byte> message;  // memory for arrays that are sent together
};

// Tells the other ranks where a step ends by an exception.
struct RanksGuard {
    Ranks* ranks;
    ~RanksGuard() {
        if (ranks != nullptr && !ranks->heard) ranks->failed();
    }
};

}  // namespace polder::detail
