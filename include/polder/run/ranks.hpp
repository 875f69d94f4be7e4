/// What a run asks of the other processes that train the same model. polder/mpi.hpp answers by MPI; programs without it compile
/// none of the answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <polder/closure/evaluation.hpp>
#include <polder/config.hpp>
#include <polder/engine/cpu_memory.hpp>
#include <polder/engine/function_ref.hpp>
#include <polder/engine/step_data.hpp>
#include <polder/message.hpp>
#include <polder/run/handles.hpp>

namespace polder::detail {

class AnyEngine;  // run/any_engine.hpp

// How far a rank is when it meets the others.
struct Standing {
    std::uint64_t steps = 0, epoch = 0;
    Fault fault = Fault::none;
};

// What the ranks have told each other in a step.
struct Outcome {
    Fault fault = Fault::none;  // on the rank `faulty`
    int faulty = 0;             // also of an exception
    bool heard = false;         // all ranks know of the exception under way
    bool in_step = false;
};

// sum of by[k] of[k].
struct Summands {
    std::span<Gradient const> of;
    std::span<Coefficient const> by;
};

// Every rank makes the same calls in the same order, also where something is wrong on one of them. What they return is the
// fault of the step on any rank; after a fault nothing has been averaged.
class POLDER_OPENMP_MARK Ranks {
public:
    Ranks() = default;
    Ranks(Ranks const&) = delete;
    Ranks& operator=(Ranks const&) = delete;
    virtual ~Ranks() = default;

    // Before the first step: all have the same method (its type as a text) and settings, and the same parameters, state and
    // counts, or get those of rank 0.
    virtual void start(CpuStore& memory, AnyEngine& engine, Plan const& plan,
                       std::string_view method, std::span<double const> settings,
                       std::span<std::span<std::uint64_t> const> counts) = 0;
    // Tells the others that an exception ends the step on this rank.
    virtual void failed() = 0;

    // Each value becomes its sum over the ranks. Outside of steps.
    virtual void sum(std::span<double> values) = 0;
    // The loss and the gradient of an evaluation become those of all ranks.
    virtual Fault average_evaluation(CpuStore& memory, Standing standing, Evaluation what,
                                     ArrayId gradient, double& loss) = 0;
    // Before a descent: memory.ranks_array(k) becomes the mean of sums[k]; and what the step has written for the next one, and
    // the losses, become their means. number(c, block): a coefficient. All arrays go in one message.
    virtual Fault average_descent(CpuStore& memory, Standing standing,
                                  std::span<Summands const> sums,
                                  FunctionRef<double(Coefficient, std::size_t)> number,
                                  Ending const& ending, std::span<double* const> losses) = 0;
    // After it: an array that the method keeps becomes its mean.
    virtual void average_kept(CpuStore& memory, ArrayId kept) = 0;
    // " on rank 1", of the fault of the step.
    virtual std::string where() const = 0;

    // Whether u alone is averaged, and no rank has a fault.
    bool of_descents() const noexcept { return !every_pass && outcome.fault == Fault::none; }
    // Whether sample k is this rank's, and which one of its own. Samples are dealt to the ranks in turn.
    bool takes_sample(int& k) const noexcept {
        bool const is_own = k % size == rank;
        k /= size;
        return is_own;
    }

    int rank = 0, size = 1;
    bool every_pass = true;  // false: u alone is averaged
    bool keep_own = false;   // what a method keeps is not averaged
    Outcome outcome;         // of the step under way, or of the last one
    std::thread::id thread;  // that makes the step under way
};

// Lives as long as a step. Tells the other ranks where it ends by an exception. Puts back the outcome of the step around it: a
// closure may step another optimizer.
struct RanksGuard {
    explicit RanksGuard(Ranks* of) : ranks(of), own_(of) {
        if (own_ == nullptr) return;
        auto const here = std::this_thread::get_id();
        if (own_->thread != std::thread::id() && own_->thread != here)
            wrong_call(
                "two threads step optimizers of the same ranks at the same time (closures of "
                "concurrent() are called in two); give each an Mpi of its own, and "
                "call MPI_Init_thread with MPI_THREAD_MULTIPLE");
        own_->thread = here;
        before_ = std::exchange(own_->outcome, {.in_step = true});
    }
    RanksGuard(RanksGuard const&) = delete;
    RanksGuard& operator=(RanksGuard const&) = delete;
    ~RanksGuard() {
        if (ranks != nullptr && !ranks->outcome.heard) ranks->failed();
        if (own_ == nullptr) return;
        own_->outcome.in_step = false;
        if (before_.in_step)
            own_->outcome = before_;
        else
            own_->thread = {};
    }
    Ranks* ranks;  // that wait for this one; nullptr at the end of the step

private:
    Ranks* own_;
    Outcome before_;
};

// The ranks that a run meets: at every evaluation, or at descents alone.
template <bool is_step>
Ranks* ranks_of(Ranks* ranks) noexcept {
    return ranks != nullptr && (is_step || ranks->every_pass) ? ranks : nullptr;
}

template <class Engine>
inline constexpr bool takes_ranks = requires(Engine& engine) {
    engine.ranks_array(0);
};

}  // namespace polder::detail
