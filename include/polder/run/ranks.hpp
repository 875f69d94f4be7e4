/// What a run asks of the other processes that train the same model. polder/mpi.hpp has it by MPI.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
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

    std::uint64_t what = 0;  // has to be the same on all ranks
    std::array<double, 4> losses{};
    int severity = 0;  // a fault, or threw
};
// The first rank that says another number than rank 0; their count if there is none.
inline int first_other(std::span<Meeting const> all) {
    auto const is_other = [&](Meeting const& m) { return m.what != all[0].what; };
    return static_cast<int>(std::find_if(all.begin(), all.end(), is_other) - all.begin());
}

// Every rank makes the same calls in the same order, also where something is wrong on one of them.
class Ranks {
public:
    Ranks() = default;
    Ranks(Ranks const&) = delete;
    Ranks& operator=(Ranks const&) = delete;
    virtual ~Ranks() = default;

    virtual std::span<Meeting const> meet(Meeting const& own) = 0;  // what each rank says
    // Each value becomes its sum over the ranks.
    virtual void sum(std::span<float> values) = 0;
    virtual void sum(std::span<double> values) = 0;
    virtual void broadcast(std::span<std::byte> values) = 0;  // of rank 0

    // The worst fault of any rank; if there is none, the losses (at most 4) become their sums over the ranks times `factor`.
    // Throws where another rank has thrown, or says another number.
    POLDER_COLD Fault agree(std::uint64_t what, Fault own, std::span<double* const> losses,
                            double factor) {
        Meeting mine{.what = what, .severity = static_cast<int>(own)};
        for (std::size_t k = 0; k < losses.size(); ++k) mine.losses[k] = *losses[k];
        auto const all = meet(mine);
        bool const threw = find_faulty(all) == Meeting::threw;
        int const other = first_other(all);
        heard = threw || other < size;
        if (heard) {
            POLDER_THROW RankError(
                "polder: rank " + std::to_string(threw ? faulty : other) +
                (threw ? " has thrown an exception"
                       : " differs from rank 0 in its options, steps, blocks or evaluations"));
        }
        for (std::size_t k = 0; k < losses.size() && fault == Fault::none; ++k) {
            *losses[k] = 0;
            for (Meeting const& each : all) *losses[k] += each.losses[k] * factor;
        }
        return fault;
    }
    // Tells the others that an exception ends the step on this rank.
    void failed() {
        find_faulty(meet({.severity = Meeting::threw}));
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

private:
    // The highest severity, and the first rank that has it.
    int find_faulty(std::span<Meeting const> all) {
        auto const less = [](Meeting const& a, Meeting const& b) {
            return a.severity < b.severity;
        };
        auto const worst = std::max_element(all.begin(), all.end(), less);
        faulty = static_cast<int>(worst - all.begin());
        fault = static_cast<Fault>(worst->severity);
        return worst->severity;
    }
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
