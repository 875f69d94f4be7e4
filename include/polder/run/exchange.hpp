/// What a run does with the ranks that make its step together.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include <polder/closure/evaluation.hpp>
#include <polder/closure/forms.hpp>
#include <polder/config.hpp>
#include <polder/engine/step_data.hpp>
#include <polder/message.hpp>
#include <polder/run/blend.hpp>
#include <polder/run/evaluations.hpp>
#include <polder/run/handles.hpp>
#include <polder/run/ranks.hpp>

namespace polder::detail {

template <class Engine>
inline constexpr bool takes_ranks = requires(Engine& engine) {
    engine.ranks_array(0);
};

// Sends the start of rank 0 to all ranks, or throws where theirs differs.
POLDER_COLD inline void start_from(Ranks& ranks, std::span<std::span<std::byte> const> parts) {
    // Checksums, first of the options.
    std::size_t sizes = (ranks.every_pass ? 1 : 0) + (ranks.keep_own ? 2 : 0) +
                        (ranks.broadcasts ? 4 : 0) + (ranks.share == 1 ? 8 : 0);
    std::size_t values = 0;
    for (auto const part : parts) {
        sizes = sizes * 31 + part.size();
        auto const* const text = reinterpret_cast<char const*>(part.data());
        values = values * 31 + std::hash<std::string_view>()({text, part.size()});
    }
    ranks.agree(sizes, Fault::none, {}, 1);
    if (ranks.broadcasts) {
        for (auto const part : parts) ranks.broadcast(part);
        return;
    }
    int const other = first_other(ranks.meet({.what = values}));
    if (other == ranks.size) return;
    wrong_argument({"the parameters or the state of the optimizer on rank ", std::to_string(other),
                    " differ from those on rank 0 at the first step; let all ranks begin with the "
                    "same, or set MpiOptions::broadcast"});
}

// Before the first step: the ranks start from the same parameters and state. visit(f) calls f(name, values) for the state.
template <class Engine, class Visit>
void start_together(Ranks& ranks, Engine& engine, Visit const& visit) {
    if constexpr (takes_ranks<Engine>) {
        std::vector<std::span<std::byte>> parts;
        auto const& sizes = engine.layout().block_sizes();
        for (std::size_t block = 0; block < sizes.size(); ++block) {
            std::span const x(static_cast<typename Engine::Scalar*>(engine.table({0})[block]),
                              sizes[block]);
            parts.push_back(std::as_writable_bytes(x));
        }
        visit([&](std::string_view, auto&& value) {
            if constexpr (requires { value.data(); })
                parts.push_back(std::as_writable_bytes(value));
            else
                parts.push_back(std::as_writable_bytes(std::span(&value, 1)));
        });
        start_from(ranks, parts);
    } else {
        wrong_argument({"ranks take parameters in the host's memory alone"});
    }
}

// The ranks that a run meets: at every evaluation, or at descents alone.
template <class Form>
Ranks* ranks_of(Ranks* ranks) noexcept {
    return ranks != nullptr && (Form::is_step || ranks->every_pass) ? ranks : nullptr;
}

// Sums and means over the ranks, of arrays of the engine. Without ranks it does nothing.
template <class Engine>
class Exchange {
public:
    using T = typename Engine::Scalar;

    Exchange(Engine& engine, Ranks* ranks) : engine_(engine), ranks_(ranks) {}

    // Whether every gradient is averaged.
    bool of_evaluations() const noexcept { return ranks_ != nullptr && ranks_->every_pass; }
    // Whether u alone is, and no rank has a fault.
    bool of_descents() const noexcept {
        return ranks_ != nullptr && !ranks_->every_pass && ranks_->fault == Fault::none;
    }

    // Whether sample k is this rank's, and which one of its own. Samples are dealt to the ranks in turn: it is sample k / size
    // of rank k mod size.
    bool takes_sample(int& k) const noexcept {
        if (!of_evaluations()) return true;
        bool const is_own = k % ranks_->size == ranks_->rank;
        k /= ranks_->size;
        return is_own;
    }

    // The loss of all ranks, whose gradients become one.
    double averaged([[maybe_unused]] Asked const& asked, double loss) {
        if constexpr (takes_ranks<Engine>) {
            if (!of_evaluations()) return loss;
            if (!std::isfinite(loss)) engine_.fail(loss_fault(asked.what));
            engine_.check(asked.gradient, gradient_fault(asked.what));
            double const factor = asked.what == Evaluation::sample ? 1 : ranks_->share;
            if (meet(static_cast<int>(asked.what), 1, std::array{&loss}, factor))
                add_up(asked.gradient, factor);
        }
        return loss;
    }

    // Before a descent: the means of u, of what bypasses the base optimizer, of what the step has written for the next one, and of
    // the losses. All arrays go in one message.
    template <std::size_t n, std::size_t m, class Extra>
    void share(Blend<n, m, Extra>& b, Ending const& ending, std::span<double* const> losses) {
        std::vector<Shared> all{{engine_.ranks_array(0), b.u.of, b.u.by}};
        if constexpr (m > 0) all.push_back({engine_.ranks_array(1), b.bypass.of, b.bypass.by});
        bool const kept_too = ending.descents == 0 && !ranks_->keep_own;
        if (kept_too)
            for (auto const& array : ending.arrays) all.push_back({array.next, {}, {}});
        auto const arrays = static_cast<int>(ending.arrays.end() - ending.arrays.begin());
        if (!meet(evaluations + arrays, all.size(), losses, ranks_->share)) return;
        if (kept_too)
            for (auto const& mask : ending.masks)
                ranks_->broadcast(std::as_writable_bytes(engine_.values(mask.next)));
        add_up(all, ranks_->share);
        become(b.u, engine_.ranks_array(0));
        if constexpr (m > 0) become(b.bypass, engine_.ranks_array(1));
    }
    // After it: the mean of what the method keeps. The message has room, since share() has sent as large ones.
    template <class F, class... A>
    void share_kept(Keep<F, A...> const& extra) {
        if (!of_descents() || ranks_->keep_own || !engine_.alive()) return;
        auto const add_up_written = [&](auto const& a) {
            if constexpr (requires { a.array; }) add_up(a.array, ranks_->share);
        };
        std::apply([&](auto const&... a) { (add_up_written(a), ...); }, extra.arguments);
    }

private:
    // An array that becomes its sum over the ranks times a factor. Or that of sum over k of by[k] of[k], for an array without
    // memory: it lies in the message.
    struct Shared {
        ArrayId array;
        std::span<Gradient const> of;
        std::span<Coefficient const> by;
    };

    // Whether no rank has a fault. All have to be at the same place, with the same blocks that are not frozen. Memory for a
    // message of so many arrays is taken before: where there is none on one rank, the others can still be told.
    bool meet(int what, std::size_t arrays, std::span<double* const> losses, double factor) {
        auto const& layout = engine_.layout();
        auto& message = ranks_->message;
        message.resize(std::max(message.size(), arrays * layout.live_size() * sizeof(T)));
        std::uint64_t number = engine_.data->steps * 64 + static_cast<std::uint64_t>(what);
        for (std::size_t block = 0; block < layout.blocks(); ++block)
            number = number * 0x9e3779b97f4a7c15u +
                     (layout.frozen(block) ? 0 : layout.block_sizes()[block] + 1);
        auto const fault = ranks_->agree(number, engine_.fault(), losses, factor);
        engine_.fail(fault);
        return fault == Fault::none;
    }

    void add_up(ArrayId array, double factor) {
        Shared const one{array, {}, {}};
        add_up({&one, 1}, factor);
    }
    // The sums over the ranks times `factor`, all in one message, without frozen blocks.
    void add_up(std::span<Shared const> all, double factor) {
        auto const& layout = engine_.layout();
        std::span const message(reinterpret_cast<T*>(ranks_->message.data()),
                                all.size() * layout.live_size());
        // f(shared, block, its size, where it lies in the message)
        auto const for_each_block = [&](auto const& f) {
            T* at = message.data();
            for (Shared const& each : all) {
                for (std::size_t block = 0; block < layout.blocks(); ++block) {
                    if (layout.frozen(block)) continue;
                    f(each, block, layout.block_sizes()[block], at);
                    at += layout.block_sizes()[block];
                }
            }
        };
        for_each_block([&](Shared const& each, std::size_t block, std::size_t size, T* at) {
            if (each.of.empty()) std::copy_n(values(each.array, block), size, at);
            for (std::size_t k = each.of.size(); k-- > 0;) {  // as in the pass without ranks
                T const c = saturated<T>(engine_.number(each.by[k], block));
                T const* const a = values(each.of[k], block);
                bool const is_first = k + 1 == each.of.size();
                for (std::size_t i = 0; i < size; ++i)
                    at[i] = is_first ? c * a[i] : c * a[i] + at[i];
            }
        });
        for (T& value : message) value *= static_cast<T>(factor);  // the sum may overflow
        ranks_->sum(message);
        for_each_block([&](Shared const& each, std::size_t block, std::size_t size, T* at) {
            if (each.of.empty())
                std::copy_n(at, size, values(each.array, block));
            else
                engine_.table(each.array)[block] = at;
        });
    }
    // A combination becomes what add_up() has made of it.
    template <std::size_t n>
    void become(Combination<n>& c, ArrayId sum) {
        for (auto& gradient : c.of) gradient = Gradient(sum);
        c.by.fill(0.0);
        c.by.front() = 1.0;
        engine_.check(sum, Fault::update_norm);
    }
    T* values(ArrayId a, std::size_t block) { return static_cast<T*>(engine_.table(a)[block]); }

    Engine& engine_;
    Ranks* ranks_;
};

}  // namespace polder::detail
