/// The engine on a device: the passes of engine/cpu.hpp, which run on a stream, without the host waiting for them.
///
/// The team of threads that ends last in a reduction also computes what follows from the sums. So a reduction is one pass.
/// Each team makes the function of a coordinate before it begins. One pass covers all blocks, through a table of their
/// addresses on the device.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/blocks/arena.hpp>
#include <polder/blocks/block_shape.hpp>
#include <polder/closure/device_report.hpp>
#include <polder/closure/evaluation.hpp>
#include <polder/closure/non_finite.hpp>
#include <polder/device/choose.hpp>
#include <polder/device/engine_memory.hpp>
#include <polder/device/finite.hpp>
#include <polder/device/memory.hpp>
#include <polder/device/passes.hpp>
#include <polder/device/step.hpp>
#include <polder/engine/column.hpp>
#include <polder/engine/cpu.hpp>
#include <polder/engine/layout.hpp>
#include <polder/engine/step_data.hpp>
#include <polder/error.hpp>
#include <polder/run/handles.hpp>

namespace polder {

namespace detail {

// The numbers of an optimizer's steps, on the device. Reports share it, so that it lives until the last of them is gone.
template <class System>
struct StepOnDevice final : DeviceReport::Source {
    DeviceArray<DeviceStep, System> step{1};

    Report read(Report report) override {
        DeviceStep s;
        System::read(&s, step.data(), sizeof s);
        if (s.raised != Fault::none) {
            Fault const raised = s.raised;
            s.raised = s.fault = Fault::none;
            System::write(step.data(), &s, sizeof s);
            not_finite(s.raised_step, raised);
        }
        double* const numbers[] = {&report.gradient_norm, &report.perturbation_norm,
                                   &report.update_norm, &report.distance, &report.cosine};
        for (std::size_t k = 0; k < notes; ++k) *numbers[k] = s.noted[k];
        double* const losses[] = {&report.loss, &report.perturbed_loss, &report.mirrored_loss,
                                  &report.second_loss};
        for (std::size_t k = 0; k < 4; ++k) {
            if (s.last_losses[k] == s.last_losses[k]) *losses[k] = s.last_losses[k];
        }
        report.skipped = report.skipped || s.last_fault != Fault::none;
        return report;
    }
};

// A copy of an optimizer has numbers of its own.
template <class System>
class StepNumbers {
public:
    StepNumbers() : held_(std::make_shared<StepOnDevice<System>>()) {}
    StepNumbers(StepNumbers const& other)
        : held_(std::make_shared<StepOnDevice<System>>(*other.held_)) {}
    StepNumbers(StepNumbers&&) noexcept = default;
    StepNumbers& operator=(StepNumbers&&) noexcept = default;
    StepNumbers& operator=(StepNumbers const& other) { return *this = StepNumbers(other); }

    DeviceStep* step() const noexcept { return held_->step.data(); }
    std::shared_ptr<StepOnDevice<System>> const& held() const noexcept { return held_; }

private:
    std::shared_ptr<StepOnDevice<System>> held_;
};

}  // namespace detail

/// As CpuEngine, with passes that run on a System (device/memory.hpp). The order of additions depends only on N and the
/// System. So results are the same in every run, and differ from the CPU's by rounding errors only.
template <class T, class System>
class DeviceEngine : public DeviceMemoryOf<T, System> {
    using Base = DeviceMemoryOf<T, System>;
    template <class U>
    using Memory = DeviceArray<U, System>;
    template <class U>
    using Table = detail::DeviceTable<U, System>;
    using Base::arrays_;
    using Base::blocks_;
    using Base::chunks_;
    using Base::frozen_;
    using Base::layout_;
    using Base::located;
    using Base::masks_;
    using Base::plan_;
    using Base::run;
    using Base::sizes_;
    using Base::system_;
    using Base::view;

public:
    using Scalar = T;
    using Loss = DeviceLoss;
    using StepReport = DeviceReport;

    DeviceEngine() = default;
    DeviceEngine(detail::Blocks blocks, std::shared_ptr<Plan const> plan)
        : Base(std::move(blocks), std::move(plan)) {
        auto const& sizes = layout_.block_sizes();
        std::vector<std::size_t> begins(sizes.size());
        for (std::size_t b = 1; b < sizes.size(); ++b) begins[b] = begins[b - 1] + sizes[b - 1];
        begins_.assign(begins);
        partial_ = Memory<detail::Row>(std::vector<detail::Row>(chunks_ + sizes.size()));
        values_.assign(capacity(sizes.size()), 0);
        choice_.assign(1, {});
        std::vector<std::size_t> ends;
        for (auto const& shape : blocks_.shapes) {
            ends.push_back((ends.empty() ? 0 : ends.back()) + shape.rows);
        }
        rows_ = ends.empty() ? 0 : ends.back();
        shapes_.assign(blocks_.shapes);
        row_ends_.assign(ends);
    }

    static std::size_t capacity(std::size_t blocks) { return 64 + 16 * blocks; }

    detail::StepData const* data = nullptr;
    /// Sends groups and counts to the device, unless passes are recorded in a graph: then before_replay() sends them.
    void refresh() {
        groups_ = data->settings.size();
        if (recording()) return;
        settings_.values = data->settings;
        if (settings_.outgrown()) group_.replace();  // an old graph has the old groups of blocks
        settings_.refresh(system_);
        base_steps_.values = data->base_steps;
        base_steps_.refresh(system_);
        counts_.values = {data->steps, data->skipped, data->method_steps};
        counts_.refresh(system_);
        if (group_.values != data->group) group_.values = data->group;
        group_.refresh(system_);
        frozen_.values = layout_.frozen_flags();
        frozen_.refresh(system_);
        arrays_.refresh(system_);
        masks_.refresh(system_);
    }
    /// Says what the device will have counted, so that refresh() need not send it.
    void expect(detail::StepData const& now) {
        base_steps_.expect(now.base_steps);
        std::array<std::uint64_t, 3> const counts{now.steps, now.skipped, now.method_steps};
        counts_.expect(counts);
    }
    /// Reads the counts of the device, where steps may have been skipped.
    void count(detail::StepData& to) {
        if (counts_.values.empty()) return;
        counts_.read();
        base_steps_.read();
        to.steps = counts_.values[0];
        to.skipped = counts_.values[1];
        to.method_steps = counts_.values[2];
        to.base_steps = base_steps_.values;
    }
    /// Whether passes are recorded in a graph and not run.
    bool recording() const { return system_.capturing(); }
    void begin(NonFinite policy) {
        policy_ = policy;
        fault_ = detail::Fault::none;
        // A step that has ended in an exception has left its numbers.
        if (under_way_) run(0, detail::NoBody{}, detail::ForgetStep{step()});
        under_way_ = true;
    }
    /// Whether the step has no fault, as far as the host knows.
    bool alive() const noexcept { return fault_ == detail::Fault::none; }
    void fail(detail::Fault fault) {
        if (alive() && policy_ != NonFinite::propagate) fault_ = fault;
    }
    /// ended: the last pass has ended the step.
    detail::Fault end(detail::Ending const& ending, bool ended) {
        if (!alive()) return fault_;
        if (!ended) run(0, detail::NoBody{}, end_of(ending));
        under_way_ = false;
        return fault_;
    }
    DeviceReport report(Report report, detail::Ending const&) const {
        if (report.skipped) return DeviceReport(report, nullptr);
        return DeviceReport(report, numbers_.held());
    }
    void store_loss(DeviceLoss loss, Evaluation which) {
        if (loss.at() == nullptr) return;
        run(0, detail::NoBody{},
            detail::StoreLoss{step(), loss.at(), loss.is_float(), static_cast<int>(which),
                              watched(detail::loss_fault(which))});
    }

    template <class F, class... Args>
    void map(F const& f, Args const&... args) {
        if (alive()) run_map(f, detail::NoEnd{}, located(args)...);
    }
    template <std::size_t n, class F, class... Args>
    void map_last(detail::Ending const& ending, std::array<ArrayId, n> const& watched,
                  std::array<detail::Fault, n> const& faults, std::size_t count, F const& f,
                  Args const&... args) {
        if (policy_ == NonFinite::skip) {
            for (std::size_t k = 0; k < count; ++k) check(watched[k], faults[k]);
        }
        if (!alive()) return;
        if (policy_ != NonFinite::raise || count == 0)
            return run_map(f, end_of(ending), located(args)...);
        // The host learns of a fault when the step is over. So gradients are checked as they are used.
        std::array<detail::TurningBegins<T>, n> begins{};
        for (std::size_t k = 0; k < count; ++k) begins[k] = arrays_[watched[k].id];
        using Body = detail::WatchedBody<T, F, n, decltype(located(args))...>;
        run(chunks_,
            Body{view(), guard(), source(), f, partial_.data(), begins, count, {located(args)...}},
            detail::WatchedTail<n, detail::EndOfStep>{guard(), step(), faults, count,
                                                      partial_.data(), chunks_, end_of(ending)});
    }
    template <class F, class... Args>
    void reduce(ValueId to, detail::Fault fault, F const& f, Args const&... args) {
        if (!alive()) return;
        using Body = detail::ReduceBody<false, T, F, decltype(located(args))...>;
        run(chunks_, Body{view(), guard(), source(), f, partial_.data(), {located(args)...}},
            detail::ReduceTail<T, typename Body::Fold, F>{
                guard(), source(), partial_.data(), chunks_,
                static_cast<double>(layout_.live_size()), finish(f, fault, to)});
    }
    template <class F, class... Args>
    void reduce_blocks(ValueId to, detail::Fault fault, F const& f, Args const&... args) {
        if (!alive()) return;
        using Body = detail::ReduceBody<true, T, F, decltype(located(args))...>;
        run(chunks_, Body{view(), guard(), source(), f, partial_.data(), {located(args)...}},
            detail::ReduceBlocksTail<T, typename Body::Fold, F>{
                view(), guard(), source(), partial_.data(), begins_.data(), layout_.blocks(),
                finish(f, fault, to)});
    }
    void root_of_sum(ValueId of_blocks, ValueId root) {
        if (!alive()) return;
        run(0, detail::NoBody{},
            detail::RootTail{guard(), values_.data() + of_blocks.slot,
                             static_cast<std::size_t>(of_blocks.stride), layout_.blocks(),
                             values_.data() + root.slot});
    }
    template <class Passes>
    void where(ValueId flag, Passes const& passes) {
        struct Reset {
            double const*& flag;
            ~Reset() { flag = nullptr; }
        } const reset{flag_};
        flag_ = values_.data() + flag.slot;
        passes();
    }
    void check(ArrayId gradient, detail::Fault fault) {
        if (!alive() || policy_ == NonFinite::propagate) return;
        using Body = detail::ReduceBody<false, T, detail::NotFinite, decltype(located(gradient))>;
        run(chunks_, Body{view(), guard(), source(), {}, partial_.data(), {located(gradient)}},
            detail::RequireFinite{guard(), step(), fault, partial_.data(), chunks_});
    }

    template <class F>
    void fill(MaskId m, F const& f) {
        using Body = detail::FillBody<T, F, detail::TurningBegins<std::uint8_t>>;
        if (alive())
            run(chunks_, Body{view(), guard(), source(), f, masks_[m.id]}, detail::NoEnd{});
    }
    void centralise(ArrayId array) {
        if (!alive()) return;
        run(rows_,
            detail::CentraliseBody<T, detail::TurningBegins<T>>{
                view(), guard(), shapes_.data(), row_ends_.data(), arrays_[array.id]},
            detail::NoEnd{});
    }
    template <class Score, class... Args>
    void choose_largest(std::size_t count, Score const& score, MaskId chosen, Args const&... args) {
        if (!alive()) return;
        using Keys = detail::Keys<T, Score, decltype(located(args))...>;
        Keys const keys{score, {located(args)...}};
        detail::Choice begin;
        begin.left = count;
        // (Each choice leaves the histogram empty.)
        system_.put(&choice_.data()->threshold, &begin.threshold, 2 * sizeof(std::uint64_t));
        for (int shift = 56; shift >= 0; shift -= 8) {
            run(chunks_, detail::DigitBody<Keys>{view(), guard(), keys, choice_.data(), shift},
                detail::DigitTail{guard(), choice_.data(), shift, layout_.size()});
        }
        run(chunks_, detail::TiesBody<Keys>{view(), guard(), keys, choice_.data(), partial_.data()},
            detail::TiesTail{guard(), choice_.data(), partial_.data(), chunks_});
        using Chosen = detail::TurningBegins<std::uint8_t>;
        run(chunks_,
            detail::ChooseBody<Keys, Chosen>{view(), guard(), keys, choice_.data(), partial_.data(),
                                             masks_[chosen.id]},
            detail::NoEnd{});
    }

private:
    detail::DeviceStep* step() { return numbers_.step(); }
    detail::Guard guard() { return {step(), flag_}; }
    detail::SiteSource source() {
        return {values_.data(), settings_.at(), base_steps_.at(),
                counts_.at(),   group_.at(),    sizes_.data()};
    }
    detail::Fault watched(detail::Fault fault) const {
        return policy_ == NonFinite::propagate ? detail::Fault::none : fault;
    }
    template <class F>
    detail::Finish<T, F> finish(F const& f, detail::Fault fault, ValueId to) {
        return {f, step(), watched(fault), values_.data() + to.slot};
    }
    detail::EndOfStep end_of(detail::Ending const& ending) {
        detail::EndOfStep end{step(),
                              settings_.at(),
                              base_steps_.at(),
                              groups_,
                              counts_.at(),
                              values_.data(),
                              ending.noted,
                              ending.descents,
                              ending.active,
                              ending.counts,
                              policy_ == NonFinite::raise,
                              {},
                              0};
        for (auto const& array : ending.arrays)
            end.turns[end.turn_count++] = arrays_.turn(array.now.id);
        for (auto const& mask : ending.masks)
            end.turns[end.turn_count++] = masks_.turn(mask.now.id);
        return end;
    }

    template <class F, class End, class... Located>
    void run_map(F const& f, End const& end, Located const&... arrays) {
        run(chunks_, detail::MapBody<T, F, Located...>{view(), guard(), source(), f, {arrays...}},
            end);
    }

    std::size_t rows_ = 0, groups_ = 0;
    Memory<std::size_t> begins_, row_ends_;
    Memory<BlockShape> shapes_;
    Memory<detail::Row> partial_;
    Memory<double> values_;
    Memory<detail::Choice> choice_;
    Table<std::uint32_t> group_;  // of each block
    Table<detail::GroupSettings> settings_;
    Table<std::uint64_t> base_steps_;
    Table<std::uint64_t> counts_;  // of steps, skipped ones, and the method's
    detail::StepNumbers<System> numbers_;

    NonFinite policy_ = NonFinite::raise;
    detail::Fault fault_ = detail::Fault::none;
    double const* flag_ = nullptr;
    bool under_way_ = false;  // a step has begun and not ended
};

template <class System, class T>
struct EngineOf<MemoryOn<System>, T> {
    using type = DeviceEngine<T, System>;
};

/// All parameters of a model as named matrices in one allocation on the device.
template <class T, class System>
using ArenaOn = ParameterArena<T, DeviceArray<T, System>>;

}  // namespace polder
