/// What can be set around a method: groups, intervals, schedules, clipping, threads, and what happens to values that are not
/// finite.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <polder/closure/clipping.hpp>
#include <polder/closure/non_finite.hpp>
#include <polder/config.hpp>
#include <polder/engine/layout.hpp>
#include <polder/engine/parallel.hpp>
#include <polder/engine/step_data.hpp>
#include <polder/error.hpp>
#include <polder/groups/group.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/run/ranks.hpp>
#include <polder/schedule/interval.hpp>
#include <polder/schedule/schedules.hpp>

namespace polder {

/// The settings that all optimizers have. They are not part of the state, so files of state do not contain them.
class POLDER_OPENMP_MARK Settings {
public:
    /// The factor in step t = 0, 1, ...
    using Schedule = std::function<double(std::uint64_t)>;

    /// Blocks with hyper-parameters of their own. Throws std::invalid_argument for a value out of range and for a
    /// name that is empty or used twice. The next step checks whether the blocks exist. The base optimizer counts
    /// its steps for each block: those in which the block was not frozen. The counts stay when groups change.
    /// A CUDA graph that was captured before keeps its groups, so capture the step again.
    void set_groups(std::vector<Group> groups) {
        detail::validate_groups(groups);
        groups_ = std::move(groups);
    }

    std::vector<Group> const& groups() const noexcept { return groups_; }

    /// The group of that name. It may be changed between steps, as by set_groups.
    /// Throws std::out_of_range that lists the known names.
    Group& group(std::string_view name) {
        std::vector<std::string_view> known;
        for (Group& group : groups_) {
            if (group.name == name) return group;
            known.push_back(group.name);
        }
        POLDER_THROW std::out_of_range(
            "polder: unknown group '" + std::string(name) +
            "'; known: " + (known.empty() ? "none" : detail::listed(known)));
    }

    /// Which steps are steps of the method; default: all. Throws std::invalid_argument if the interval is not valid.
    void set_interval(Interval const& interval) {
        interval.validate();
        interval_ = interval;
    }
    Interval const& interval() const noexcept { return interval_; }

    /// The factor of the learning rate, and that of rho, in step t = 0, 1, ..., for all groups; default: 1. See
    /// schedules.hpp. Throws std::invalid_argument for a schedule whose arguments are out of range.
    template <class Of = Schedule>
    void set_learning_rate_schedule(Of schedule) {
        set_schedule(learning_rate_schedule_, std::move(schedule));
    }
    template <class Of = Schedule>
    void set_rho_schedule(Of schedule) {
        set_schedule(rho_schedule_, std::move(schedule));
    }

    /// Clips the gradient that the base optimizer gets; default: no limits.
    void set_clipping(Clipping const& clipping) {
        clipping.validate();
        clipping_ = clipping;
    }

    /// The number of threads of the passes, >= 1; default: OpenMP's number, or 1 without OpenMP. Results do not
    /// depend on it.
    void set_threads(int threads) {
        if (threads < 1) detail::refuse("threads", threads, "a number >= 1");
        threads_ = threads;
    }
    int threads() const noexcept { return threads_ > 0 ? threads_ : default_threads(); }

    /// The stream of the passes over a device's memory, a cudaStream_t; default: the device's default stream. Passes on a new
    /// stream do not wait for those on the old one: before the next step, wait for the old stream, or let the new one wait.
    void set_stream(void* stream) noexcept { stream_ = stream; }

    /// What to do with losses and gradients that are not finite; default: raise.
    void set_non_finite(NonFinite policy) noexcept { non_finite_ = policy; }
    NonFinite non_finite() const noexcept { return non_finite_; }

    /// Lets several processes train one model, each with a part of the batch: see polder/mpi.hpp. Default: this one alone, or
    /// nullptr. All of them call it, with the same settings.
    void set_ranks(std::shared_ptr<detail::Ranks> ranks) {
        ranks_ = std::move(ranks);
        joined_ = false;
    }

    /// To be called before the first step of each epoch, for masks and for intervals that restart. Other methods do
    /// not need it.
    void begin_epoch() noexcept {
        ++epochs_;
        batch_ = 0;
    }

    /// The number of steps that changed the parameters, and of those that NonFinite::skip left out.
    std::uint64_t steps() const noexcept { return data_.steps; }
    std::uint64_t skipped_steps() const noexcept { return data_.skipped; }

protected:
    // The ranks begin together. method: the type of the optimizer; counters: those of the method.
    POLDER_COLD void join(detail::CpuStore& memory, detail::AnyEngine& engine, Plan const& plan,
                          std::string_view method, std::array<double, 3> const& compared,
                          std::vector<std::uint64_t>& counters) {
        // Without the factors of schedules: a broadcast makes the steps the same.
        double const settings[] = {compared[0],
                                   compared[1],
                                   compared[2],
                                   static_cast<double>(interval_.every),
                                   static_cast<double>(interval_.phase),
                                   static_cast<double>(interval_.warm_up),
                                   static_cast<double>(interval_.restart_each_epoch),
                                   clipping_.norm,
                                   clipping_.value,
                                   static_cast<double>(non_finite_)};
        std::span<std::uint64_t> const counts[] = {
            {&data_.steps, 1},     {&data_.skipped, 1}, {&data_.method_steps, 1},
            {&epochs_, 1},         {&batch_, 1},        counters,
            base_steps_of_blocks()};
        ranks_->start(memory, engine, plan, method, settings, counts);
        joined_ = true;
    }
    // The numbers of each cohort for the next step, and which blocks are frozen.
    template <class Engine>
    void settle(Engine& engine) {
        if (!counts_in_cohorts_ || !are_assigned()) {
            auto const groups = detail::assign_groups(groups_, engine.blocks().names);
            if (counts_in_cohorts_ && !engine.recording()) engine.count(data_);
            cut_into_cohorts(groups);
        }
        settle_numbers(engine.layout());
        engine.refresh();
    }
    POLDER_APART void settle_numbers(Layout& layout) {
        double const rate = factor(learning_rate_schedule_, "the schedule of the learning rate");
        double const rho = factor(rho_schedule_, "the schedule of rho");
        auto& settings = data_.settings;
        rate_factor_ = rate;
        rho_factor_ = rho;
        detail::GroupSettings of_no_group;
        of_no_group.rate_factor = rate;
        of_no_group.rho_factor = rho;
        for (std::size_t k = 0; k < settings.size(); ++k) {
            settings[k] = of_no_group;
            if (cohort_groups_[k] == 0) continue;
            Group const& group = groups_[cohort_groups_[k] - 1];
            settings[k] = {group.learning_rate,
                           group.weight_decay,
                           group.rho,
                           group.adaptive,
                           group.frozen,
                           rate,
                           rho};
        }
        for (std::size_t block = 0; block < data_.group.size(); ++block) {
            layout.set_frozen(block, settings[data_.group[block]].frozen);
        }
    }
    POLDER_APART void count_step(unsigned descents, bool active) noexcept {
        ++data_.steps;
        ++batch_;
        if (active) ++data_.method_steps;
        for (std::size_t k = 0; k < data_.settings.size(); ++k) {
            if (!data_.settings[k].frozen) data_.base_steps[k] += descents;
        }
    }
    // The steps of the base optimizer in each block. They may be written to, until the next step.
    POLDER_APART std::vector<std::uint64_t>& base_steps_of_blocks() {
        if (counts_in_cohorts_) {
            for (std::size_t block = 0; block < data_.group.size(); ++block)
                block_steps_[block] = data_.base_steps[data_.group[block]];
        }
        counts_in_cohorts_ = false;
        return block_steps_;
    }
    // Takes back what count_step has counted for blocks that this step alone has left out.
    POLDER_APART void uncount_left_out(Layout const& layout, unsigned descents) {
        auto const left_out = [&](std::size_t block) {
            return layout.frozen(block) && !data_.settings[data_.group[block]].frozen;
        };
        for (std::size_t block = 0; block < data_.group.size(); ++block) {
            if (left_out(block)) base_steps_of_blocks()[block] -= descents;
        }
    }
    void forget_blocks() noexcept {
        counts_in_cohorts_ = false;
        block_steps_.clear();
    }
    // Counted from 0. Steps before the first begin_epoch() belong to epoch 0.
    std::uint64_t epoch() const noexcept { return epochs_ == 0 ? 0 : epochs_ - 1; }
    bool one_radius() const noexcept {
        for (Group const& group : groups_) {
            if (group.rho) return false;
        }
        return true;
    }
    void validate_groups() const { detail::validate_groups(groups_); }

    std::vector<Group> groups_;
    Interval interval_;
    Schedule learning_rate_schedule_, rho_schedule_;
    Clipping clipping_;
    int threads_ = 0;  // 0: default_threads()
    void* stream_ = nullptr;
    NonFinite non_finite_ = NonFinite::raise;
    template <class Of>
    static void set_schedule(Schedule& schedule, Of of) {
        static_assert(std::is_constructible_v<Schedule, Of>,
                      "polder: a schedule is called as double(std::uint64_t step), such as "
                      "schedules::Cosine{.steps = 1000}; a number is a hyper-parameter of the base "
                      "optimizer or the method");
        if constexpr (std::is_constructible_v<Schedule, Of>) {
            schedules::validate(of);
            schedule = std::move(of);
        }
    }

    std::shared_ptr<detail::Ranks> ranks_;
    bool joined_ = false;  // the ranks have started from the same parameters and state

    detail::StepData data_;
    std::uint64_t epochs_ = 0;                 // begun
    std::uint64_t batch_ = 0;                  // of the epoch: the steps since it began
    double rate_factor_ = 1, rho_factor_ = 1;  // of the schedules, in the next step

private:
    // Whether the groups still have the blocks of the cohorts.
    bool are_assigned() const {
        if (groups_.size() != assigned_.size()) return false;
        for (std::size_t k = 0; k < groups_.size(); ++k) {
            if (groups_[k].blocks != assigned_[k]) return false;
        }
        return true;
    }
    // Cuts the blocks into cohorts, by group and by steps of the base optimizer. Cohort 0 is of no group, also if it is empty.
    // groups: of each block.
    POLDER_COLD void cut_into_cohorts(std::vector<std::uint32_t> const& groups) {
        auto& steps = base_steps_of_blocks();
        if (steps.size() != groups.size()) steps = std::vector<std::uint64_t>(groups.size());
        auto const none = std::find(groups.begin(), groups.end(), 0u);
        cohort_groups_ = {0};
        data_.base_steps = {
            none == groups.end() ? 0 : steps[static_cast<std::size_t>(none - groups.begin())]};
        data_.group = std::vector<std::uint32_t>(groups.size());
        for (std::size_t block = 0; block < groups.size(); ++block) {
            std::size_t k = 0;
            while (k < cohort_groups_.size() &&
                   (cohort_groups_[k] != groups[block] || data_.base_steps[k] != steps[block])) {
                ++k;
            }
            if (k == cohort_groups_.size()) {
                cohort_groups_.push_back(groups[block]);
                data_.base_steps.push_back(steps[block]);
            }
            data_.group[block] = static_cast<std::uint32_t>(k);
        }
        assigned_.clear();
        for (Group const& group : groups_) assigned_.push_back(group.blocks);
        data_.settings = std::vector<detail::GroupSettings>(cohort_groups_.size());
        counts_in_cohorts_ = true;
    }
    double factor(Schedule const& schedule, char const* what) const {
        if (!schedule) return 1;
        double const value = schedule(data_.steps);
        if (!(std::isfinite(value) && value >= 0)) {
            detail::refuse(what, value, "a finite number >= 0");
        }
        return value;
    }

    std::vector<std::uint32_t>
        cohort_groups_;  // of each cohort: 1, 2, ... in the order of groups_, or 0
    std::vector<std::vector<std::string>> assigned_;  // the blocks of each group, as of the cohorts
    std::vector<std::uint64_t> block_steps_;          // of the base optimizer, unless
    bool counts_in_cohorts_ = false;                  // they are in data_.base_steps
};

}  // namespace polder
