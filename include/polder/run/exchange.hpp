/// What a run does with the ranks that make its step together.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include <polder/closure/evaluation.hpp>
#include <polder/closure/forms.hpp>
#include <polder/engine/step_data.hpp>
#include <polder/message.hpp>
#include <polder/run/blend.hpp>
#include <polder/run/evaluations.hpp>
#include <polder/run/handles.hpp>
#include <polder/run/ranks.hpp>

namespace polder::detail {

// (Outside of the functions that ask, since nvcc finds no requirement of a lambda's own parameter met.)
template <class A>
concept written_array = requires(A const& a) {
    a.array;
};
template <class V>
concept several_values = requires(V& values) {
    values.data();
};

template <class Engine>
inline constexpr bool takes_ranks = requires(Engine& engine) {
    engine.ranks_array(0);
};

// Before the first step: the ranks start from the same parameters and state. visit(f) calls f(name, values) for the state.
template <class Engine, class Visit>
void start_together(Ranks& ranks, Engine& engine, Visit const& visit) {
    if constexpr (takes_ranks<Engine>) {
        std::vector<std::span<std::byte>> parts;
        auto const add = [&](auto values) { parts.push_back(std::as_writable_bytes(values)); };
        auto const& sizes = engine.layout().block_sizes();
        for (std::size_t block = 0; block < sizes.size(); ++block) {
            void* const values = engine.table({0})[block];
            add(std::span(static_cast<typename Engine::Scalar*>(values), sizes[block]));
        }
        visit([&](std::string_view, auto&& value) {
            if constexpr (several_values<std::remove_cvref_t<decltype(value)>>) {
                add(value);
            } else {
                add(std::span(&value, 1));
            }
        });
        ranks.start(parts);
    } else {
        wrong_argument({"ranks take parameters in the host's memory alone"});
    }
}

// The ranks that a run meets: at every evaluation, or at descents alone.
template <class Form>
Ranks* ranks_of(Ranks* ranks) noexcept {
    if (std::is_same_v<Form, NoClosure> || ranks == nullptr) return nullptr;
    return Form::is_step || ranks->every_pass ? ranks : nullptr;
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
            if (meet(static_cast<int>(asked.what), {&loss, 1}, factor))
                add_up({{engine_.table(asked.gradient)}}, factor);
        }
        return loss;
    }

    // Before a descent: the means of u, of what bypasses the base optimizer, of what the step has written for the next one, and of
    // the losses.
    template <std::size_t n, std::size_t m, class Extra>
    void share(Blend<n, m, Extra>& b, Ending const& ending, std::array<double*, 4> const& losses) {
        std::array<double, 4> of{};
        for (std::size_t k = 0; k < of.size(); ++k) of[k] = *losses[k];
        if (!meet(evaluations, of, ranks_->share)) return;
        for (std::size_t k = 0; k < of.size(); ++k) *losses[k] = of[k];
        std::vector<Ranks::Shared> all;
        combine(b.u, 0, all);
        if constexpr (m > 0) combine(b.bypass, 1, all);
        if (ending.descents == 0 && !ranks_->keep_own) {
            for (std::size_t k = 0; k < ending.array_count; ++k)
                all.push_back({engine_.table(ending.arrays[k].next)});
            for (std::size_t k = 0; k < ending.mask_count; ++k)
                ranks_->broadcast(std::as_writable_bytes(engine_.values(ending.masks[k].next)));
        }
        add_up(all, ranks_->share);
        for (int k = 0; k < (m > 0 ? 2 : 1); ++k)
            engine_.check(engine_.ranks_array(k), Fault::update_norm);
    }
    // After it: the mean of what the method keeps.
    template <class F, class... A>
    void share_kept(Keep<F, A...> const& extra) {
        if (!of_descents() || ranks_->keep_own || !engine_.alive()) return;
        auto const add = [&](auto const& a) {
            if constexpr (written_array<std::remove_cvref_t<decltype(a)>>)
                add_up({{engine_.table(a.array)}}, ranks_->share);
        };
        std::apply([&](auto const&... a) { (add(a), ...); }, extra.arguments);
    }

private:
    // Whether no rank has a fault.
    bool meet(int what, std::span<double> losses, double factor) {
        std::uint64_t const number = engine_.data->steps * 16 + static_cast<std::uint64_t>(what);
        auto const fault = ranks_->meet(number * 0x9e3779b97f4a7c15u + engine_.layout().live_size(),
                                        engine_.fault(), losses, factor);
        engine_.fail(fault);
        return fault == Fault::none;
    }
    void add_up(std::vector<Ranks::Shared> const& shared, double factor) {
        ranks_->add_up(engine_.layout(), sizeof(T), shared, factor);
    }
    // Takes a combination of gradients for the array of its values.
    template <std::size_t n>
    void combine(Combination<n>& c, int k, std::vector<Ranks::Shared>& all) {
        ArrayId const out = engine_.ranks_array(k);
        auto& shared = all.emplace_back(Ranks::Shared{engine_.table(out)});
        for (std::size_t i = 0; i < n; ++i) {
            shared.of.push_back(engine_.table(c.of[i]));
            for (std::size_t block = 0; block < engine_.layout().blocks(); ++block)
                shared.by.push_back(saturated<T>(engine_.number(c.by[i], block)));
            c.of[i] = Gradient(out);
            c.by[i] = i == 0 ? 1.0 : 0.0;
        }
    }

    Engine& engine_;
    Ranks* ranks_;
};

}  // namespace polder::detail
