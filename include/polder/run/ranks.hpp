/// What a run asks of the other processes that train the same model. polder/mpi.hpp has it by MPI.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <polder/closure/evaluation.hpp>
#include <polder/config.hpp>

namespace polder {

/// Another rank could not make the step. The message says which.
struct RankError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

namespace detail {

// What ranks tell each other before they go on.
struct Meeting {
    static constexpr int threw = 255;  // a severity above all faults
    static constexpr int nobody = std::numeric_limits<int>::max();

    std::uint64_t what = 0;          // has to be the same on all ranks
    std::array<double, 4> losses{};  // their sums
    int rank = 0;                    // the lowest of those that have met
    int other = nobody;              // the lowest whose `what` is not that of `rank`
    int severity = 0;                // the highest: a fault, or threw
    int faulty = nobody;             // the lowest that has it
};
inline Meeting together(Meeting const& a, Meeting const& b) {
    if (b.rank < a.rank) return together(b, a);
    auto all = a.severity < b.severity ? b : a;
    if (a.severity == b.severity) all.faulty = std::min(a.faulty, b.faulty);
    all.what = a.what;
    all.rank = a.rank;
    all.other = std::min(a.other, a.what == b.what ? b.other : b.rank);
    for (std::size_t k = 0; k < all.losses.size(); ++k) all.losses[k] = a.losses[k] + b.losses[k];
    return all;
}

// Every rank makes the same calls in the same order, also where something is wrong on one of them.
class Ranks {
public:
    Ranks() = default;
    Ranks(Ranks const&) = delete;
    Ranks& operator=(Ranks const&) = delete;
    virtual ~Ranks() = default;

    virtual Meeting meet(Meeting own) = 0;  // that of all ranks together
    // Each value becomes its sum over the ranks.
    virtual void sum(std::span<float> values) = 0;
    virtual void sum(std::span<double> values) = 0;
    virtual void broadcast(std::span<std::byte> values) = 0;  // of rank 0

    // The fault of any rank; if there is none, the losses (at most 4) become their sums over the ranks times `factor`. Throws
    // where another rank has thrown, or says another number.
    POLDER_COLD Fault agree(std::uint64_t what, Fault own, std::span<double> losses,
                            double factor) {
        Meeting mine{.what = what, .rank = rank, .severity = static_cast<int>(own), .faulty = rank};
        std::copy(losses.begin(), losses.end(), mine.losses.begin());
        auto const all = meet(mine);
        bool const threw = all.severity == Meeting::threw;
        faulty = all.faulty;
        heard = threw || all.other != Meeting::nobody;
        if (heard) {
            POLDER_THROW RankError(
                "polder: rank " + std::to_string(threw ? all.faulty : all.other) +
                (threw ? " has thrown an exception"
                       : " differs from rank 0 in its options, steps, blocks or evaluations"));
        }
        fault = static_cast<Fault>(all.severity);
        if (fault == Fault::none)
            for (std::size_t k = 0; k < losses.size(); ++k) losses[k] = all.losses[k] * factor;
        return fault;
    }
    // Tells the others that an exception ends the step on this rank.
    void failed() {
        faulty = meet({.rank = rank, .severity = Meeting::threw, .faulty = rank}).faulty;
        heard = true;
    }
    // At the begin of each step.
    void begin() {
        fault = Fault::none;
        heard = false;
    }
    std::string where() const {
        return fault == Fault::none ? "" : " on rank " + std::to_string(faulty);
    }

    int rank = 0, size = 1;
    double share = 1;                // of a rank in a mean over all of them
    bool every_pass = true;          // false: u alone is averaged
    bool keep_own = false;           // what a method keeps is not averaged
    bool broadcasts = false;         // all start from what rank 0 has, and do not compare it
    Fault fault = Fault::none;       // of this step, on the rank `faulty`
    int faulty = 0;                  // also of an exception
    bool heard = false;              // all ranks know of the exception under way
    std::vector<std::byte> message;  // memory for arrays that are sent together
};

// Tells the other ranks where a step ends by an exception.
struct RanksGuard {
    explicit RanksGuard(Ranks* of) : ranks(of) {
        if (ranks != nullptr) ranks->begin();
    }
    RanksGuard(RanksGuard const&) = delete;
    RanksGuard& operator=(RanksGuard const&) = delete;
    ~RanksGuard() {
        if (ranks != nullptr && !ranks->heard) ranks->failed();
    }
    Ranks* ranks;
};

}  // namespace detail

}  // namespace polder
