/// Whether a closure does what an optimizer asks of it: the first thing to look at when training does not move.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/blocks/container.hpp>
#include <polder/blocks/overlap.hpp>
#include <polder/blocks/twin.hpp>
#include <polder/closure/check_options.hpp>
#include <polder/closure/closure_differences.hpp>
#include <polder/closure/closure_probe.hpp>
#include <polder/closure/closure_report.hpp>
#include <polder/closure/forms.hpp>
#include <polder/closure/pass.hpp>
#include <polder/concepts.hpp>
#include <polder/error.hpp>

namespace polder {
namespace detail {

// What check_closure does, of a ClosureProbe.
template <class Probe>
class ClosureCheck {
    using T = typename Probe::T;
    using Values = typename Probe::Values;
    using Answer = typename Probe::Answer;
    using Reads = ClosureReport::Reads;

public:
    ClosureCheck(Probe& probe, bool has_pass, bool float_loss, CheckOptions const& options)
        : probe_(probe), x_(probe.start()), has_pass_(has_pass), options_(options) {
        report_.in_place = probe.in_place();
        set_precision(std::is_same_v<T, float> || float_loss);
    }

    ClosureReport run() {
        POLDER_TRY { look(); }
        POLDER_CATCH(OtherShape, other) { report_.shape = other.text; }
        report_.evaluations = probe_.evaluations;
        report_.writes_parameters = probe_.writes_parameters;
        return std::move(report_);
    }

private:
    void look() {
        auto& r = report_;
        probe_.check_gradient();
        r.parameters_not_finite =
            probe_.places([&](std::size_t i) { return !std::isfinite(x_[i]); });
        auto const first = probe_.evaluate(x_, x_);
        r.loss = first.loss;
        r.gradient_not_finite =
            probe_.places([&](std::size_t i) { return !std::isfinite(first.gradient[i]); });
        largest_ = 0;
        for (T const g : first.gradient)
            if (std::isfinite(g)) largest_ = std::max(largest_, std::abs(static_cast<double>(g)));

        repeat(first);
        overwrite(first);
        look_for_zeros(first);
        bool const finite = std::isfinite(r.loss) && r.parameters_not_finite.empty() &&
                            r.gradient_not_finite.empty();
        if (!finite || !r.repeats) return;
        ClosureDifferences<Probe> differences(probe_, options_);
        move(first, differences);
        if (!r.repeats) return;
        if (has_pass_) {
            r.passes_agree = !differ(
                first, probe_.evaluate(x_, x_, 0, {.batch = Batch::first, .perturbed = true}));
        }
        if (options_.coordinates > 0 && r.reads == Reads::at && r.loss_moves) {
            differences.compare(first, epsilon_, largest_, r);
            differs_by(differences.spread());
            if (!r.repeats) r.forget_differences();
        }
    }

    void repeat(Answer const& first) {
        auto& r = report_;
        auto const again = probe_.evaluate(x_, x_);
        r.loss_spread = Probe::distance(first.loss, again.loss);
        r.gradient_spread = Probe::distance(first.gradient, again.gradient);
        exact_ = r.loss_spread == 0 && r.gradient_spread == 0;
        r.repeats = !differ(first, again, 1e3 * epsilon_);
        if (r.repeats || r.loss_spread > 0) return;
        r.sums_over_calls = true;
        for (std::size_t i = 0; i < x_.size(); ++i) {
            double const sum = 2 * static_cast<double>(first.gradient[i]);
            r.sums_over_calls &=
                !(std::abs(static_cast<double>(again.gradient[i]) - sum) > 1e-3 * std::abs(sum));
        }
    }

    // The first gradient was zero before the call; this one is much larger than any noise.
    void overwrite(Answer const& first) {
        auto const fill =
            static_cast<T>(-std::min(3 + 0x1p20 * largest_, 0.25 * std::numeric_limits<T>::max()));
        auto const filled = probe_.evaluate(x_, x_, fill);
        differs_by(Probe::distance(first.loss, filled.loss));
        auto const keeps = [&](std::size_t i) {
            return first.gradient[i] == 0 && filled.gradient[i] == fill;
        };
        report_.unwritten = probe_.places(keeps);
        report_.added = probe_.places([&](std::size_t i) {
            return std::isfinite(first.gradient[i]) && !keeps(i) &&
                   !(Probe::distance(first.gradient[i], filled.gradient[i]) <= -0.01 * fill);
        });
    }

    // The losses of two calls at the same point.
    void differs_by(double spread) {
        auto& r = report_;
        if (!(spread > 1e3 * epsilon_ * std::abs(r.loss))) return;
        r.repeats = false;
        r.loss_spread = std::max(r.loss_spread, spread);
    }

    void look_for_zeros(Answer const& first) {
        for (auto const& zeros :
             probe_.places([&](std::size_t i) { return first.gradient[i] == 0; }))
            if (zeros.count == zeros.size) report_.zero_blocks.push_back(zeros.block);
        report_.zero_gradient = largest_ == 0 && !x_.empty() && report_.gradient_not_finite.empty();
        if (report_.zero_gradient) report_.zero_blocks.clear();
    }

    void move(Answer const& first, ClosureDifferences<Probe> const& differences) {
        auto& r = report_;
        auto moved = x_;
        for (std::size_t i = 0, b = 0; i < x_.size(); ++i) {
            while (i >= differences.end_of(b)) ++b;
            std::uint64_t const bits = differences.draw(i);
            double const share = static_cast<double>(bits >> 11) * 0x1p-53;  // in [0, 1)
            double const step = (bits & 1 ? 0.005 : -0.005) * (1 + share);
            moved[i] += static_cast<T>(step * differences.scale_of(i, b));
        }
        auto const there = probe_.evaluate(moved, x_);
        r.loss_moves = Probe::distance(first.loss, there.loss) > allowed(first.loss);
        bool const gradient_moves =
            Probe::distance(first.gradient, there.gradient) > allowed(largest_);
        bool const reads_x = !r.in_place && answers_otherwise(first, moved);
        if (!r.repeats) return;
        r.reads = r.loss_moves || gradient_moves ? (reads_x ? Reads::both : Reads::at)
                                                 : (reads_x ? Reads::x : Reads::nothing);

        double const rise = there.loss - first.loss;
        double linear = 0;
        for (std::size_t i = 0; i < moved.size(); ++i)
            linear += static_cast<double>(first.gradient[i]) *
                      (static_cast<double>(moved[i]) - static_cast<double>(x_[i]));
        // Losses that float can hold were computed in float.
        auto const is_float = [](double v) {
            return static_cast<double>(static_cast<float>(v)) == v;
        };
        if (r.loss_moves && is_float(first.loss) && is_float(there.loss)) set_precision(true);
        r.gradient_is_stale = r.loss_moves && !gradient_moves &&
                              std::abs(rise - linear) > std::sqrt(epsilon_) * std::abs(rise) +
                                                            16 * epsilon_ * std::abs(first.loss);
    }

    // Whether it does when x alone is moved, and each time in the same way.
    bool answers_otherwise(Answer const& first, Values const& moved) {
        auto const other = probe_.evaluate(x_, moved);
        if (!differ(first, other)) return false;
        for (int k = 0; k < 3 && report_.repeats; ++k)
            differs_by(Probe::distance(other.loss, probe_.evaluate(x_, moved).loss));
        return true;
    }

    // What two equal answers may differ by: nothing, where two calls at x have not.
    double allowed(double size) const { return exact_ ? 0 : 1e3 * epsilon_ * std::abs(size); }
    bool differ(Answer const& a, Answer const& b, double relative) const {
        return Probe::distance(a.loss, b.loss) > relative * std::abs(a.loss) ||
               Probe::distance(a.gradient, b.gradient) > relative * largest_;
    }
    bool differ(Answer const& a, Answer const& b) const {
        return differ(a, b, exact_ ? 0 : 1e3 * epsilon_);
    }

    void set_precision(bool is_float) {
        report_.coarse = is_float;
        epsilon_ = is_float ? static_cast<double>(std::numeric_limits<float>::epsilon())
                            : std::numeric_limits<double>::epsilon();
    }

    Probe& probe_;
    Values const& x_;
    bool has_pass_;
    CheckOptions options_;
    ClosureReport report_;
    double epsilon_ = 0;  // of parameters and losses
    double largest_ = 0;  // |coordinate| of the gradient that is finite
    bool exact_ = true;   // two calls at x gave the same bits
};

template <class C, class Call>
ClosureReport check_closure_at(C& x, C& at, C& gradient, Call const& call, bool has_pass,
                               bool float_loss, CheckOptions const& options) {
    ClosureProbe<C, Call> probe(x, at, gradient, call);
    return ClosureCheck<ClosureProbe<C, Call>>(probe, has_pass, float_loss, options).run();
}

template <class C>
constexpr void check_checked_container() {
    static_assert(parameter_container<C>,
                  "polder: parameters are a container of float or double that is not const; see "
                  "polder/blocks/container.hpp");
    static_assert(std::same_as<memory_space_t<C>, HostMemory>,
                  "polder: check_closure takes parameters in the host's memory; give it a copy");
}

}  // namespace detail

/// Calls the closure at x and around x and says what is wrong with it, in words: report.ok(), std::cout << report.
///
///     std::cout << polder::check_closure(x, loss);
///
/// closure: scalar(C const& at, C& gradient) or scalar(C const& at, C& gradient, Pass), as Optimizer::step takes it;
/// C any container in the host's memory. All calls are for the first batch, x being what the optimizer starts from
/// or got stuck at. It asks whether
///   - the gradient keeps the shape of x, and x is not written to;
///   - loss and gradient are finite, and the gradient is not zero everywhere;
///   - all of the gradient is overwritten: calls with two values in it beforehand tell what is left or added to;
///   - two calls at x give the same;
///   - the answer changes when `at` is moved, by 0.5 % to 1 % in each coordinate, and does not when x alone is;
///   - Pass::perturbed makes no difference at the same point (a note);
///   - in drawn coordinates i, and in direction g / ||g||,
///         | g_i - (L(x + h e_i) - L(x - h e_i)) / 2h |  <=  tolerance max(|g_i|, |the difference|) + bend + rounding
///     with h = step max(|x_i|, root mean square of the block), bend = |L(x + h e_i) - 2 L(x) + L(x - h e_i)| / 2h
///     and rounding = 8 epsilon (max |L| / 2h + max |g|). (Of a block of zeros: that of all blocks, or 1.) Where it
///     disagrees, once more with 16 h. epsilon is that of the less precise of parameters and losses.
/// Later questions are left out where the answers to earlier ones make them void.
///
/// Where a difference disagrees, or bends by much, the losses at its two points are asked for again: a closure that draws
/// random numbers seldom is found there. Costs 6 + 2 (coordinates + 1) calls of the closure (up to four times as many where
/// it disagrees) and some copies of x.
/// x is bit for bit what it was, also where the closure throws, which comes through. Throws std::invalid_argument
/// where a copy of x still refers to the memory of x.
template <class C, class Closure>
ClosureReport check_closure(C& x, Closure&& closure, CheckOptions const& options = {}) {
    detail::check_checked_container<C>();
    using F = std::remove_reference_t<Closure>;
    constexpr bool has_pass = detail::pass_closure<F, C>;
    static_assert(has_pass || detail::plain_closure<F, C>,
                  "polder: the closure is called as scalar(parameters const&, gradient&) or "
                  "scalar(parameters const&, gradient&, polder::Pass)");
    auto const call = [&](C const& at, C& gradient, [[maybe_unused]] Pass pass) {
        if constexpr (has_pass) {
            return closure(at, gradient, pass);
        } else {
            return closure(at, gradient);
        }
    };
    detail::require_apart({}, {"the parameters", x});
    Twin<C> at(x), gradient(x);
    constexpr bool float_loss =
        std::is_same_v<std::invoke_result_t<decltype(call), C const&, C&, Pass>, float>;
    return detail::check_closure_at(x, at.get(), gradient.get(), call, has_pass, float_loss,
                                    options);
}

/// The same of a model that owns its parameters x and its gradient (of the same shape), with a closure that
/// Optimizer::step_in_place takes: scalar() or scalar(Pass), which returns the loss at what x holds and overwrites
/// `gradient`. Whether it reads x is asked by moving x. x is put back; `gradient` has what the last call wrote.
template <class C, class Closure>
ClosureReport check_closure_in_place(C& x, C& gradient, Closure&& closure,
                                     CheckOptions const& options = {}) {
    detail::check_checked_container<C>();
    using F = std::remove_reference_t<Closure>;
    constexpr bool has_pass = std::invocable<F&, Pass>;
    static_assert(has_pass || std::invocable<F&>, "polder: the closure of check_closure_in_place "
                                                  "is called as scalar() or scalar(polder::Pass)");
    auto const call = [&](C const&, C&, [[maybe_unused]] Pass pass) {
        if constexpr (has_pass) {
            return closure(pass);
        } else {
            return closure();
        }
    };
    constexpr bool float_loss =
        std::is_same_v<std::invoke_result_t<decltype(call), C const&, C&, Pass>, float>;
    return detail::check_closure_at(x, x, gradient, call, has_pass, float_loss, options);
}

}  // namespace polder
