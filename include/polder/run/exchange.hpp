/// What the processes that train one model tell each other, whatever carries their messages.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <polder/closure/evaluation.hpp>
#include <polder/config.hpp>
#include <polder/engine/cpu_memory.hpp>
#include <polder/message.hpp>
#include <polder/run/any_engine.hpp>
#include <polder/run/handles.hpp>
#include <polder/run/ranks.hpp>
#include <polder/run/site.hpp>

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

class POLDER_OPENMP_MARK Exchange : public Ranks {
public:
    void start(CpuStore& memory, AnyEngine& engine, Plan const& plan, std::string_view method,
               std::span<double const> settings,
               std::span<std::span<std::uint64_t> const> counts) override {
        std::vector<std::span<std::byte>> parts;
        auto const& sizes = memory.layout().block_sizes();
        for (std::size_t block = 0; block < sizes.size(); ++block) {
            auto* const begin = static_cast<std::byte*>(memory.table({0})[block]);
            parts.emplace_back(begin, sizes[block] * memory.width());
        }
        for (auto const& array : engine.state(plan))
            std::visit([&](auto of) { parts.push_back(std::as_writable_bytes(of)); }, array.values);
        for (auto const& count : counts) parts.push_back(std::as_writable_bytes(count));

        // Checksums, first of what even a broadcast does not make the same. Ranks with other methods would find out in the middle
        // of a step, when some of them have ended theirs.
        std::size_t kind = (every_pass ? 1 : 0) + (keep_own ? 2 : 0) + (broadcasts_ ? 4 : 0) +
                           (share_ == 1 ? 8 : 0);
        kind = kind * 31 + std::hash<std::string_view>()(method);
        kind = kind * 31 + checksum(std::as_bytes(settings));
        std::size_t values = 0;
        for (auto const part : parts) {
            kind = kind * 31 + part.size();
            values = values * 31 + checksum(part);
        }
        agree(kind, Fault::none, {}, 1, "method, settings or shapes");
        if (broadcasts_) {
            for (auto const part : parts) broadcast(part);
            return;
        }
        int const other = first_other(meet({.what = values}));
        if (other == size) return;
        wrong_argument({"the parameters or the state of the optimizer on rank ",
                        std::to_string(other),
                        " differ from those on rank 0 at the first step; let all ranks begin with "
                        "the same, or set MpiOptions::broadcast"});
    }
    void failed() override {
        find_faulty(meet({.severity = Meeting::threw}));
        outcome.heard = true;
    }

    void sum(std::span<double> values) override {
        outcome = {.in_step = outcome.in_step};
        agree(0, Fault::none, {}, 1, {});
        add_up(values);
    }
    Fault average_evaluation(CpuStore& memory, Standing standing, Evaluation what, ArrayId gradient,
                             double& loss) override {
        parts_.assign({{gradient, {}}});
        double const factor = what == Evaluation::sample ? 1 : share_;
        agree_in_step(memory, standing, static_cast<int>(what), std::array{&loss}, factor);
        average_parts(memory, nullptr, factor);
        return outcome.fault;
    }
    Fault average_descent(CpuStore& memory, Standing standing, std::span<Summands const> sums,
                          FunctionRef<double(Coefficient, std::size_t)> number,
                          Ending const& ending, std::span<double* const> losses) override {
        parts_.clear();
        for (auto const& sum : sums)
            parts_.push_back({memory.ranks_array(static_cast<int>(parts_.size())), sum});
        bool const kept_too = ending.descents == 0 && !keep_own;
        if (kept_too)
            for (auto const& array : ending.arrays) parts_.push_back({array.next, {}});
        auto const arrays = static_cast<int>(ending.arrays.end() - ending.arrays.begin());
        auto const masks = static_cast<int>(ending.masks.end() - ending.masks.begin());
        int const written = arrays + static_cast<int>(Ending::most_arrays + 1) * masks;
        agree_in_step(memory, standing, evaluations + written, losses, share_);
        if (kept_too && outcome.fault == Fault::none)
            for (auto const& mask : ending.masks)
                broadcast(std::as_writable_bytes(memory.values(mask.next)));
        average_parts(memory, &number, share_);
        return outcome.fault;
    }
    void average_kept(CpuStore& memory, ArrayId kept) override {
        parts_.assign({{kept, {}}});  // There is room for it: the descent has sent as much.
        average_parts(memory, nullptr, share_);
    }
    std::string where() const override {
        return outcome.fault == Fault::none ? "" : " on rank " + std::to_string(outcome.faulty);
    }

protected:
    virtual std::span<Meeting const> meet(Meeting const& own) = 0;  // what each rank says
    // Each value becomes its sum over the ranks.
    virtual void add_up(std::span<float> values) = 0;
    virtual void add_up(std::span<double> values) = 0;
    virtual void broadcast(std::span<std::byte> values) = 0;  // of rank 0

    double share_ = 1;         // of a rank in a mean over all of them
    bool broadcasts_ = false;  // all start from what rank 0 has, and do not compare it

private:
    using Number = FunctionRef<double(Coefficient, std::size_t)>;
    // An array that becomes its mean; or that of a sum, for an array without memory: it lies in the message.
    struct Part {
        ArrayId array;
        Summands sum;
    };

    static std::size_t checksum(std::span<std::byte const> bytes) {
        auto const* const text = reinterpret_cast<char const*>(bytes.data());
        return std::hash<std::string_view>()({text, bytes.size()});
    }
    // The first rank that says another number than rank 0; their count if there is none.
    static int first_other(std::span<Meeting const> all) {
        auto const is_other = [&](Meeting const& m) { return m.what != all[0].what; };
        return static_cast<int>(std::find_if(all.begin(), all.end(), is_other) - all.begin());
    }
    // Finds the worst fault of any rank. If there is none, the losses (at most 4) become their sums over the ranks times
    // `factor`. Throws where another rank has thrown, or says another number, and then says what was `compared`.
    void agree(std::uint64_t what, Fault own, std::span<double* const> losses, double factor,
               std::string_view compared) {
        Meeting mine{.what = what, .severity = static_cast<int>(own)};
        for (std::size_t k = 0; k < losses.size(); ++k) mine.losses[k] = *losses[k];
        auto const all = meet(mine);
        bool const threw = find_faulty(all) == Meeting::threw;
        int const other = first_other(all);
        outcome.heard = threw || other < size;
        if (outcome.heard) {
            POLDER_THROW RankError(
                text_of({"polder: rank ", std::to_string(threw ? outcome.faulty : other),
                         threw ? " has thrown an exception" : " differs from rank 0 in its ",
                         threw ? std::string_view() : compared}));
        }
        for (std::size_t k = 0; k < losses.size() && outcome.fault == Fault::none; ++k) {
            *losses[k] = 0;
            for (Meeting const& each : all) *losses[k] += each.losses[k] * factor;
        }
    }
    // The same in a step. All have to be at the same place, with the same blocks that are not frozen. Memory for the message is
    // taken before: where there is none on one rank, the others can still be told.
    void agree_in_step(CpuStore& memory, Standing standing, int what,
                       std::span<double* const> losses, double factor) {
        auto const& layout = memory.layout();
        std::size_t const bytes = parts_.size() * layout.live_size() * memory.width();
        message_.resize(std::max(message_.size(), bytes));
        std::uint64_t number = standing.steps * 64 + static_cast<std::uint64_t>(what);
        auto const and_also = [&](std::uint64_t more) {
            number = number * 0x9e3779b97f4a7c15u + more;
        };
        and_also(standing.epoch);
        for (std::size_t block = 0; block < layout.blocks(); ++block)
            and_also(layout.frozen(block) ? 0 : layout.block_sizes()[block] + 1);
        agree(number, standing.fault, losses, factor, "step, epoch, frozen blocks or evaluation");
    }
    // The highest severity, and the first rank that has it.
    int find_faulty(std::span<Meeting const> all) {
        auto const less = [](Meeting const& a, Meeting const& b) {
            return a.severity < b.severity;
        };
        auto const worst = std::max_element(all.begin(), all.end(), less);
        outcome.faulty = static_cast<int>(worst - all.begin());
        outcome.fault = static_cast<Fault>(worst->severity);
        return worst->severity;
    }

    void average_parts(CpuStore& memory, Number const* number, double factor) {
        if (outcome.fault != Fault::none) return;
        if (memory.width() == sizeof(float))
            average_as<float>(memory, number, factor);
        else
            average_as<double>(memory, number, factor);
    }
    // Of all parts, in one message, without frozen blocks.
    template <class T>
    void average_as(CpuStore& memory, Number const* number, double factor) {
        auto const& layout = memory.layout();
        std::span const message(reinterpret_cast<T*>(message_.data()),
                                parts_.size() * layout.live_size());
        auto const values = [&](ArrayId a, std::size_t block) {
            return static_cast<T*>(memory.table(a)[block]);
        };
        // f(part, block, its size, where it lies in the message)
        auto const for_each_block = [&](auto const& f) {
            T* at = message.data();
            for (Part const& part : parts_) {
                for (std::size_t block = 0; block < layout.blocks(); ++block) {
                    if (layout.frozen(block)) continue;
                    f(part, block, layout.block_sizes()[block], at);
                    at += layout.block_sizes()[block];
                }
            }
        };
        for_each_block([&](Part const& part, std::size_t block, std::size_t size, T* at) {
            auto const& [of, by] = part.sum;
            if (of.empty()) std::copy_n(values(part.array, block), size, at);
            for (std::size_t k = of.size(); k-- > 0;) {  // as in the pass without ranks
                T const c = saturated<T>((*number)(by[k], block));
                T const* const a = values(of[k], block);
                bool const is_first = k + 1 == of.size();
                for (std::size_t i = 0; i < size; ++i)
                    at[i] = is_first ? c * a[i] : c * a[i] + at[i];
            }
        });
        for (T& value : message) value *= static_cast<T>(factor);  // the sum may overflow
        add_up(message);
        for_each_block([&](Part const& part, std::size_t block, std::size_t size, T* at) {
            if (part.sum.of.empty())
                std::copy_n(at, size, values(part.array, block));
            else
                memory.table(part.array)[block] = at;
        });
    }

    std::vector<Part> parts_;         // of the message
    std::vector<std::byte> message_;  // its memory
};

}  // namespace detail

}  // namespace polder
