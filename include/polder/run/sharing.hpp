/// What a run hands to the ranks that make its step together.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <tuple>

#include <polder/closure/evaluation.hpp>
#include <polder/closure/forms.hpp>
#include <polder/engine/step_data.hpp>
#include <polder/run/blend.hpp>
#include <polder/run/circumstances.hpp>
#include <polder/run/handles.hpp>
#include <polder/run/ranks.hpp>

namespace polder::detail {

// Without ranks it does nothing.
template <class Engine>
class Sharing {
public:
    Sharing(Engine& engine, Circumstances const& step) : engine_(engine), step_(step) {}

    // Whether u alone is averaged, and no rank has a fault.
    bool of_descents() const { return step_.ranks != nullptr && step_.ranks->of_descents(); }
    // Whether a sample is this rank's, and which one of its own.
    bool takes_sample(int& k) const { return !of_evaluations() || step_.ranks->takes_sample(k); }

    // The loss of all ranks, whose gradients become one.
    double averaged([[maybe_unused]] Asked const& asked, double loss) {
        if constexpr (takes_ranks<Engine>) {
            if (!of_evaluations()) return loss;
            if (!std::isfinite(loss)) engine_.fail(loss_fault(asked.what));
            engine_.check(asked.gradient, gradient_fault(asked.what));
            engine_.fail(step_.ranks->average_evaluation(engine_, standing(), asked.what,
                                                         asked.gradient, loss));
        }
        return loss;
    }
    // Before a descent, if of_descents(): u and what bypasses the base optimizer become their means.
    template <std::size_t n, std::size_t m, class Extra>
    void share(Blend<n, m, Extra>& b, Ending const& ending, std::span<double* const> losses) {
        Summands const sums[] = {{b.u.of, b.u.by}, {b.bypass.of, b.bypass.by}};
        auto const number = [&](Coefficient c, std::size_t block) {
            return engine_.number(c, block);
        };
        Fault const fault = step_.ranks->average_descent(
            engine_, standing(), std::span(sums).first(m > 0 ? 2 : 1), number, ending, losses);
        engine_.fail(fault);
        if (fault != Fault::none) return;
        become(b.u, engine_.ranks_array(0));
        if constexpr (m > 0) become(b.bypass, engine_.ranks_array(1));
    }
    // After it: the mean of what the method keeps.
    template <class F, class... A>
    void share_kept(Keep<F, A...> const& extra) {
        if (!of_descents() || step_.ranks->keep_own || !engine_.alive()) return;
        auto const average = [&](auto const& a) {
            if constexpr (requires { a.array; }) step_.ranks->average_kept(engine_, a.array);
        };
        std::apply([&](auto const&... a) { (average(a), ...); }, extra.arguments);
    }

private:
    bool of_evaluations() const { return step_.ranks != nullptr && step_.ranks->every_pass; }
    Standing standing() const { return {engine_.data->steps, step_.epoch, engine_.fault()}; }
    // A combination becomes what the ranks have made of it.
    template <std::size_t n>
    void become(Combination<n>& c, ArrayId mean) {
        for (auto& gradient : c.of) gradient = Gradient(mean);
        c.by.fill(0.0);
        c.by.front() = 1.0;
        engine_.check(mean, Fault::update_norm);
    }

    Engine& engine_;
    Circumstances const& step_;
};

}  // namespace polder::detail
