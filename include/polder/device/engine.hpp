/// The engine on a device: the passes of engine/cpu.hpp, asked for in the order of a stream and waited for by nobody.
///
/// What follows from a reduction is calculated on the device by the team of threads that ends it, so that a reduction is
/// one pass; the functions of a coordinate are made by each team before it begins. All blocks are seen to in one pass,
/// through a table of their addresses on the device.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/blocks/arena.hpp>
#include <polder/blocks/block_shape.hpp>
#include <polder/closure/device_report.hpp>
#include <polder/closure/non_finite.hpp>
#include <polder/device/memory.hpp>
#include <polder/device/passes.hpp>
#include <polder/engine/cpu.hpp>
#include <polder/engine/layout.hpp>

namespace polder {

namespace detail {

// The numbers of an optimizer's steps. Lives as long as somebody may ask for a report.
template <class System>
struct StepOnDevice final : DeviceReport::Source {
    DeviceArray<DeviceStep, System> step{1};

    Report read(Report report) override {
        DeviceStep s;
        System::read(&s, step.data(), sizeof s);
        if (s.raised != Fault::none) {
            const Fault raised = s.raised;
            s.raised = s.now.fault = Fault::none;
            System::write(step.data(), &s, sizeof s);
            throw NonFiniteError("polder: step " + std::to_string(s.raised_step) + ": the " +
                                 to_text(raised) + " is not finite");
        }
        copy_to(report, s.last);
        const auto loss = [&](double& to, LossOf which) {
            const double value = s.last_losses[static_cast<int>(which)];
            if (value == value) to = value;
        };
        loss(report.loss, LossOf::clean);
        loss(report.perturbed_loss, LossOf::perturbed);
        loss(report.mirrored_loss, LossOf::mirrored);
        loss(report.second_loss, LossOf::second);
        report.skipped = report.skipped || s.last.fault != Fault::none;
        return report;
    }
};

// As HostCell of Numbers, which lie in a DeviceStep.
template <class T, class System>
class DeviceNumbers {
public:
    DeviceNumbers() : held_(std::make_shared<StepOnDevice<System>>()) {}
    DeviceNumbers(DeviceNumbers const& other)
        : held_(std::make_shared<StepOnDevice<System>>(*other.held_)) {}
    DeviceNumbers& operator=(DeviceNumbers const&) = delete;

    DeviceStep* step() noexcept { return held_->step.data(); }
    Numbers* at() noexcept { return reinterpret_cast<Numbers*>(step()); }
    std::shared_ptr<StepOnDevice<System>> const& held() const noexcept { return held_; }

private:
    std::shared_ptr<StepOnDevice<System>> held_;
};

}  // namespace detail

/// As CpuEngine, where its passes run on a System (device/memory.hpp). Sums are folded in an order that depends on N and
/// the System alone: results are the same from run to run, and the CPU's but for rounding.
template <class System>
class DeviceEngine {
public:
    static constexpr std::size_t max_terms = CpuEngine::max_terms;
    using Row = CpuEngine::Row;
    static constexpr bool immediate = false;
    using StepReport = DeviceReport;
    using EndOfStep = detail::EndOfStep;

    template <class T>
    using Cell = detail::DeviceNumbers<T, System>;
    template <class T>
    using Table = detail::DeviceTable<T, System>;
    template <class T>
    using Array = DeviceArray<T, System>;
    template <class T>
    using Succession = detail::DeviceSuccession<T, System>;

    /// Coordinates that a team sees to at a time: few enough for small models to keep many teams busy.
    static constexpr std::size_t chunk_size = 2048;

    DeviceEngine() = default;
    explicit DeviceEngine(Layout layout) : layout_(std::move(layout)) {
        auto const& sizes = layout_.block_sizes();
        auto starts = detail::chunk_starts(sizes, layout_.size(), chunk_size);
        chunks_ = starts.size();
        starts_.assign(starts);
        sizes_.assign(sizes);
        std::vector<std::size_t> begins(sizes.size());
        for (std::size_t b = 1; b < sizes.size(); ++b) begins[b] = begins[b - 1] + sizes[b - 1];
        begins_.assign(begins);
        partial_ = Array<Row>(std::vector<Row>(chunks_ + sizes.size()));
        rows_ = Array<Row>(std::vector<Row>(sizes.size()));
        ticket_.assign(1, 0);
        choice_.assign(1, {});
    }

    Layout const& layout() const noexcept { return layout_; }
    Layout& layout() noexcept { return layout_; }

    /// The stream of the passes, a cudaStream_t; threads are the System's business.
    void run_on(int, void* stream) { system_.set_stream(stream); }
    /// Whether passes are recorded in a graph and not run.
    bool capturing() const { return system_.capturing(); }

    template <class Make>
    detail::MadeThere<Make> everywhere(Make const& make) {
        return {make, nullptr};
    }
    template <class Make>
    detail::MadeThere<Make> per_block(Make const& make, std::size_t, std::uint32_t const* index) {
        return {make, index};
    }
    void reserve(std::size_t) {}

    template <class T>
    void refresh(Table<T>& table) {
        table.refresh(system_);
    }

    template <class F>
    void where(bool const* flag, F const& f) {
        flag_ = flag;
        f();
        flag_ = nullptr;
    }

    template <class F, class... Arrays>
    void map(F const& f, Arrays... arrays) {
        const detail::MapBody<F, Arrays...> body{view(), guard(), f, {arrays...}};
        with_end([&](auto const& end) { run(chunks_, body, end); });
    }

    /// to = from, also in a step of which something was not finite.
    template <class From, class To>
    void copy(From from, To to) {
        run(chunks_, detail::CopyBody<false, From, To>{view(), from, to}, detail::NoEnd{});
    }
    template <class From, class To>
    void carry(From from, To to) {
        if (!layout_.any_frozen()) return;
        run(chunks_, detail::CopyBody<true, From, To>{view(), from, to}, detail::NoEnd{});
    }
    template <class To>
    void clear_frozen(To to) {
        carry(detail::Zeros{}, to);
    }

    template <class Finish, class F, class... Arrays>
    void reduce_then(Finish const& finish, F const& f, Arrays... arrays) {
        using Body = detail::ReduceBody<false, F, Arrays...>;
        const Body body{view(), guard(), f, partial_.data(), {arrays...}};
        with_end([&]<class End>(End const& end) {
            const detail::ReduceTail<typename Body::Fold, Finish, End> tail{
                guard(), partial_.data(), chunks_, finish, end};
            run(chunks_, body, tail);
        });
    }

    template <class Finish, class F, class... Arrays>
    void reduce_blocks_then(Finish const& finish, F const& f, Arrays... arrays) {
        using Body = detail::ReduceBody<true, F, Arrays...>;
        const Body body{view(), guard(), f, partial_.data(), {arrays...}};
        const detail::ReduceBlocksTail<typename Body::Fold, Finish> tail{
            view(),         guard(),          partial_.data(), rows_.data(),
            begins_.data(), layout_.blocks(), finish};
        run(chunks_, body, tail);
    }
    Row const* rows() const noexcept { return rows_.data(); }

    template <class Score, class Chosen, class... Arrays>
    void choose_largest(std::size_t count, Score const& score, Chosen chosen, Arrays... arrays) {
        using Keys = detail::Keys<Score, Arrays...>;
        const Keys keys{score, {arrays...}};
        detail::Choice begin;
        begin.left = count;
        // (Its histogram is empty after every choice.)
        system_.put(&choice_.data()->threshold, &begin.threshold, 2 * sizeof(std::uint64_t));
        for (int shift = 56; shift >= 0; shift -= 8) {
            run(chunks_, detail::DigitBody<Keys>{view(), guard(), keys, choice_.data(), shift},
                detail::DigitTail{guard(), choice_.data(), shift, layout_.size()});
        }
        run(chunks_, detail::TiesBody<Keys>{view(), guard(), keys, choice_.data(), partial_.data()},
            detail::TiesTail{guard(), choice_.data(), partial_.data(), chunks_});
        run(chunks_,
            detail::ChooseBody<Keys, Chosen>{view(), guard(), keys, choice_.data(), partial_.data(),
                                             chosen},
            detail::NoEnd{});
    }

    template <class T>
    void centralise(Blocked<T> array, std::vector<BlockShape> const& shapes) {
        if (shapes_.size() != shapes.size()) {
            std::vector<std::size_t> ends;
            for (auto const& shape : shapes) {
                ends.push_back((ends.empty() ? 0 : ends.back()) + shape.rows);
            }
            row_count_ = ends.empty() ? 0 : ends.back();
            shapes_.assign(shapes);
            row_ends_.assign(ends);
        }
        run(row_count_,
            detail::CentraliseBody<T, Blocked<T>>{view(), guard(), shapes_.data(), row_ends_.data(),
                                                  array},
            detail::NoEnd{});
    }

    template <class Finish, class T>
    void all_finite_then(Finish const& finish, Blocked<T> array) {
        reduce_then(detail::FinishFinite<Finish>{finish}, everywhere(detail::NotFinite<T>{}),
                    array);
    }
    template <class Finish, class T>
    void all_finite_then(Finish const& finish, Flat<T> array) {
        reduce_then(detail::FinishFinite<Finish>{finish}, everywhere(detail::NotFinite<T>{}),
                    array);
    }

    /// An error comes too late to help a step: it is looked for as its values are used.
    template <class T>
    bool checks_in_runs() const noexcept {
        return true;
    }
    /// Here a coordinate that is not finite is left out by itself.
    template <std::size_t watched, class Finish, class Make, class... Arrays>
    void map_where_finite_then(bool look, Finish const& finish, detail::MadeThere<Make> const& f,
                               Arrays... arrays) {
        if (!look) return map(f, arrays...);
        const detail::MadeThere<detail::MakeWhereFinite<watched, Make>> where{{f.make}, f.index};
        reduce_then(detail::FinishWhereFinite<watched, Finish>{finish}, where, arrays...);
    }

    /// Steps. begin() comes before the first pass of a step, and last_pass() before the last one, which then does
    /// what EndOfStep says.
    void begin(detail::DeviceStep* step) {
        // One that ended in an exception has left its numbers.
        if (under_way_) run(0, detail::NoBody{}, detail::ForgetStep{step});
        under_way_ = true;
        numbers_ = reinterpret_cast<detail::Numbers const*>(step);
    }
    void end_with(detail::EndOfStep const& end) { end_ = end; }
    void last_pass() noexcept { ending_ = true; }
    /// The end, without a pass.
    void end_now(detail::EndOfStep const& end) {
        run(0, detail::NoBody{}, end);
        under_way_ = false;
    }

    void keep_loss(detail::DeviceStep* step, DeviceLoss loss, detail::LossOf which,
                   detail::Fault otherwise) {
        if (loss.at() == nullptr) return;
        run(0, detail::NoBody{},
            detail::KeepLoss{step, loss.at(), loss.is_float(), static_cast<int>(which), otherwise});
    }

private:
    detail::LayoutView view() {
        if (layout_.frozen_flags() != frozen_.values) frozen_.values = layout_.frozen_flags();
        frozen_.refresh(system_);
        return {sizes_.data(), frozen_.at(), starts_.data(), layout_.size(), chunk_size};
    }
    detail::Guard guard() const { return {numbers_, flag_}; }

    template <class F>
    void with_end(F const& f) {
        if (!ending_) return f(detail::NoEnd{});
        f(end_);
        ending_ = under_way_ = false;
    }

    template <class Body, class Tail>
    void run(std::size_t tasks, Body const& body, Tail const& tail) {
        system_.run(tasks, body, tail, ticket_.data());
    }

    Layout layout_;
    System system_;
    std::size_t chunks_ = 0;
    Array<detail::ChunkStart> starts_;
    Array<std::size_t> sizes_, begins_;  // of the blocks
    Table<char> frozen_;                 // each of them
    Array<Row> partial_, rows_;
    Array<unsigned> ticket_;
    Array<detail::Choice> choice_;
    Array<BlockShape> shapes_;
    Array<std::size_t> row_ends_;
    std::size_t row_count_ = 0;

    detail::Numbers const* numbers_ = nullptr;
    bool const* flag_ = nullptr;
    detail::EndOfStep end_{};
    bool ending_ = false;     // the pass that comes is the last one
    bool under_way_ = false;  // a step
};

template <class System>
struct EngineOf<MemoryOn<System>> {
    using type = DeviceEngine<System>;
};

/// All parameters of a model as named matrices in one allocation on the device.
template <class T, class System>
using ArenaOn = ParameterArena<T, DeviceArray<T, System>>;

}  // namespace polder
