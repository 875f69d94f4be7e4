/// Several processes that train one model, each with a part of every batch, by MPI.
///
///     MPI_Init(&argc, &argv);
///     ...
///     optimizer.set_ranks(polder::Mpi{MPI_COMM_WORLD});                     // on every rank, before the first step
///     optimizer.step(x, [&](auto const& at, auto& gradient) { ... });       // the mean loss of this rank's part
///
/// Each rank has the parameters and the state of the optimizer; after each step they are the same bits on all ranks, provided
/// that all of them are the same program on the same kind of processor. No method knows of it. Steps of all ranks go together:
/// step() returns when all have made the step. All ranks need the same settings and hyper-parameters. At the first step
/// the types of method and base optimizer, the learning rate, the radius of a ball, interval, clipping, NonFinite and MpiOptions
/// are compared, and the ranks throw where one differs; later changes are not. begin_epoch() is called on all ranks or on none.
/// A closure may step another optimizer of the same ranks, if it does so on all of them and lets its exceptions through (with
/// Averaged::every_pass it may also catch them). In a concurrent() closure the call that is made in another thread, for the second
/// batch, must not do so: std::logic_error.
///
/// If a closure throws on one rank, or what it returns is not finite, the step ends on all ranks with nothing changed: the
/// rank throws what the closure threw, and the others RankError, or all of them NonFiniteError (or skip the step, with
/// NonFinite::skip). The message names the rank. The same happens if a step is refused on one rank alone (a
/// hyper-parameter out of range, parameters of another shape, no memory). polder calls MPI from the thread that calls step(), and
/// has other threads: by the standard that is MPI_Init_thread with MPI_THREAD_FUNNELED. Open MPI takes MPI_Init as well.
///
/// Checkpoints (polder/state): rank 0 saves, all ranks load the file. Any number of ranks may go on from it. Or rank 0 alone
/// loads it, and the others get all by MpiOptions::broadcast.
///
/// Opt-in: not in polder.hpp, since it needs MPI 3. Parameters on a device are refused. MPI is called from the thread that
/// calls step(); MPI's own errors end all processes, as they do by default.
#pragma once

#if __cplusplus <= 201703L && (!defined(_MSVC_LANG) || _MSVC_LANG <= 201703L)
#error "polder: C++20 is needed; compile with -std=c++20"
#else

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <mpi.h>

#include <polder/closure/micro_batches.hpp>
#include <polder/config.hpp>
#include <polder/error.hpp>
#include <polder/message.hpp>
#include <polder/run/exchange.hpp>

namespace polder {

/// Which gradients are averaged over the ranks.
enum class Averaged {
    /// Each, before anything reads it. So a step is that of one process with the batches of all ranks, to rounding. Sample k of
    /// that batch (methods that ask for single samples) is sample k / size of rank k mod size: deal the samples in turn.
    every_pass,
    /// The u that the base optimizer gets, and nothing before it: each rank ascends by the gradient of its own part. One
    /// reduction in a step. With SAM this is m-sharpness, m being the samples of a rank: Foret et al. 2021, section 4.1. A
    /// method's Mix is made of the rank's own gradients, and its u is averaged. Losses of the report are averaged, norms are
    /// the rank's own.
    descent
};

/// With Averaged::descent: what a method keeps from step to step (BSAM's moving average, LookSAM's part).
enum class Kept {
    averaged,  ///< over the ranks, at the end of each step; masks are those of rank 0. The state is the same on all ranks
    own        ///< the rank's own. Sends less; a checkpoint has that of the rank which wrote it
};

struct MpiOptions {
    Averaged averaged = Averaged::every_pass;
    Kept kept = Kept::averaged;
    Reduction reduction = Reduction::mean;  ///< sum: for a loss that is a sum over samples
    /// At the first step the parameters and the state of rank 0 are sent to all others. false: they are compared, and
    /// std::invalid_argument is thrown on all ranks where they differ.
    bool broadcast = false;
};

namespace detail {

class POLDER_OPENMP_MARK MpiRanks final : public Exchange {
public:
    POLDER_COLD MpiRanks(MPI_Comm communicator, MpiOptions const& options) {
        int ready = 0;
        MPI_Initialized(&ready);
        if (ready == 0) wrong_call("MPI is not initialised; call MPI_Init before polder::Mpi");
        if (communicator == MPI_COMM_NULL) wrong_argument({"the communicator is MPI_COMM_NULL"});
        // So that no message of the user's is taken for one of these.
        MPI_Comm_dup(communicator, &all_);
        MPI_Comm_set_errhandler(all_, MPI_ERRORS_ARE_FATAL);
        MPI_Comm_rank(all_, &rank);
        MPI_Comm_size(all_, &size);
        said_.resize(static_cast<std::size_t>(size));
        if (options.reduction == Reduction::mean) share_ = 1.0 / size;
        every_pass = options.averaged == Averaged::every_pass;
        keep_own = options.kept == Kept::own;
        broadcasts_ = options.broadcast;
    }
    ~MpiRanks() override {
        int ended = 0;
        MPI_Finalized(&ended);
        if (ended == 0) MPI_Comm_free(&all_);
    }

    std::span<Meeting const> meet(Meeting const& own) override {
        MPI_Allgather(&own, sizeof own, MPI_BYTE, said_.data(), sizeof own, MPI_BYTE, all_);
        bytes += sizeof own;
        return said_;
    }
    void add_up(std::span<float> values) override { add_up(values, MPI_FLOAT); }
    void add_up(std::span<double> values) override { add_up(values, MPI_DOUBLE); }
    void broadcast(std::span<std::byte> values) override {
        in_parts(values,
                 [&](std::byte* part, int count) { MPI_Bcast(part, count, MPI_BYTE, 0, all_); });
    }

    std::uint64_t bytes = 0;  // that this rank has given to reductions and broadcasts

private:
    template <class T>
    void add_up(std::span<T> values, MPI_Datatype type) {
        in_parts(values, [&](T* part, int count) {
            MPI_Allreduce(MPI_IN_PLACE, part, count, type, MPI_SUM, all_);
        });
    }
    // f(begin, count) for parts of an array whose counts are an int.
    template <class T, class F>
    void in_parts(std::span<T> values, F const& f) {
        bytes += values.size_bytes();
        while (!values.empty()) {
            auto const part = values.first(std::min(values.size(), std::size_t{1} << 28));
            f(part.data(), static_cast<int>(part.size()));
            values = values.subspan(part.size());
        }
    }

    MPI_Comm all_ = MPI_COMM_NULL;
    std::vector<Meeting> said_;  // by all ranks
};

}  // namespace detail

/// The ranks of a communicator, for Settings::set_ranks. A copy stands for the same ranks.
class POLDER_OPENMP_MARK Mpi {
public:
    /// All ranks of the communicator construct it together. Throws std::logic_error before MPI_Init, and std::invalid_argument
    /// for MPI_COMM_NULL.
    explicit Mpi(MPI_Comm communicator, MpiOptions const& options = {})
        : ranks_(std::make_shared<detail::MpiRanks>(communicator, options)) {}

    /// This process among all: 0, 1, ..., size() - 1.
    int rank() const noexcept { return ranks_->rank; }
    int size() const noexcept { return ranks_->size; }
    /// The bytes of arrays that this rank has handed to MPI so far. (What goes through a network for each is up to MPI: a ring
    /// of n ranks sends 2 (n - 1) / n times as much.)
    std::uint64_t bytes() const noexcept { return ranks_->bytes; }

    // NOLINTNEXTLINE: conversion is meant
    operator std::shared_ptr<detail::Ranks>() const noexcept { return ranks_; }

private:
    std::shared_ptr<detail::MpiRanks> ranks_;
};

}  // namespace polder

#endif
