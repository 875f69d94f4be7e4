/// A run: what a method may ask for in one step.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/closure/device_report.hpp>
#include <polder/closure/evaluation.hpp>
#include <polder/closure/pass.hpp>
#include <polder/closure/report.hpp>
#include <polder/config.hpp>
#include <polder/engine/function_ref.hpp>
#include <polder/engine/reduction.hpp>
#include <polder/engine/step_data.hpp>
#include <polder/message.hpp>
#include <polder/run/blend.hpp>
#include <polder/run/circumstances.hpp>
#include <polder/run/displacement.hpp>
#include <polder/run/evaluations.hpp>
#include <polder/run/handles.hpp>
#include <polder/run/sharing.hpp>
#include <polder/run/site.hpp>
#include <polder/run/sums.hpp>
#include <polder/run/values_found.hpp>

namespace polder {

/// The batches of a step, as a method names them: run.gradient(B1, run.x()).
template <Batch b>
using BatchTag = std::integral_constant<Batch, b>;
inline constexpr BatchTag<Batch::first> B1{};
inline constexpr BatchTag<Batch::second> B2{};
inline constexpr BatchTag<Batch::third> B3{};

namespace detail {

// Whether a method has a way to x + eps: place(run, state) or place(run, state, base). It returns Placed, so that asking does
// not compile its body. (nvcc does not find a member template by its address.)
struct AnyRun {};
template <class Method>
inline constexpr bool places = requires(Method const& method, Plan& plan, AnyRun& run) {
    method.place(run, method.init(plan));
}
|| requires(Method const& method, Plan& plan, AnyRun& run) {
    method.place(run, method.init(plan), run);
};

}  // namespace detail

/// Passes are structs (run/site.hpp). Their arguments are handles, std::array or std::tuple of handles, Written and Changed.
///
/// A method cannot break a step. Only the descent (run/descent.hpp) writes x, after the last evaluation. What a method
/// writes earlier goes to the `next` of a succession, which becomes `now` when the step has succeeded. After a fault (a loss
/// or a gradient that is not finite) passes do nothing and the closure is not called.
template <class Engine, class Asks>
class Run {
    using Loss = typename Engine::Loss;

public:
    using T = typename Engine::Scalar;

    Run(Engine& engine, detail::Form<Loss>& form, GradientPool& free_gradients,
        std::vector<std::uint64_t>& counters, detail::Circumstances const& circumstances,
        Report& report)
        : engine_(engine), form_(form), evaluations_(form), free_(free_gradients),
          counters_(counters), step_(circumstances), sharing_(engine, circumstances),
          report_(report) {
        ending_.counts = Asks::is_step;
        ending_.active = step_.active;
    }
    Run(Run const&) = delete;
    Run& operator=(Run const&) = delete;

    /// The parameters.
    PointId x() const { return {{0}, Evaluation::clean}; }
    /// Counts of the host, all from 0: the steps that were the method's, the epoch, and the batch in the epoch.
    std::uint64_t method_steps() const noexcept { return step_.method_steps; }
    std::uint64_t epoch() const noexcept { return step_.epoch; }
    std::uint64_t batch() const noexcept { return step_.batch; }
    std::uint64_t get(CounterId c) const { return counters_[static_cast<std::size_t>(c.id)]; }
    /// The counter's value after this step.
    void set(CounterId c, std::uint64_t value) { set_.add({c, value}); }
    /// The number of coordinates in all blocks.
    std::size_t size() const noexcept { return engine_.layout().size(); }

    /// The gradient of a batch's loss at a point. `spent`: a gradient that is no longer needed, whose memory it may use.
    /// `redraws`: see Pass.
    template <Batch batch>
    Gradient gradient(BatchTag<batch>, PointId at, Gradient spent = {}, bool redraws = false) {
        static_assert(
            static_cast<int>(batch) < Asks::batches,
            "polder: a method that asks for several batches says how many: static constexpr int "
            "batches = 2");
        constexpr Evaluation of[] = {Evaluation::perturbed, Evaluation::second, Evaluation::third};
        return evaluate(std::move(spent), at, {batch, at.array.id != 0, -1, 0, redraws},
                        batch == Batch::first ? at.role : of[static_cast<int>(batch)]);
    }
    /// The gradient of the loss of sample k of the first batch, at x.
    Gradient sample(int k, Gradient spent = {}) {
        static_assert(
            Asks::samples,
            "polder: a method that asks for single samples says so: static constexpr bool samples "
            "= true");
        return evaluate(std::move(spent), x(), {Batch::first, false, k}, Evaluation::sample);
    }

    /// A pass over all coordinates. It writes the arrays that are given as Written or Changed.
    template <class F, class... A>
    void map(F const& f, A const&... a) {
        settle();
        engine_.map(f, handle(a)...);
    }
    /// Adds up what f's function returns, polder::Terms<...>, over all coordinates. Returns the values that f.finish(sums,
    /// site) makes of the sums, or the sums themselves. Where a sum is not finite, the first gradient among the arguments is
    /// reported as not finite.
    template <class F, class... A>
    auto reduce(F const& f, A const&... a) {
        settle();
        auto const found =
            new_values<detail::values_found<T, F, std::decay_t<decltype(handle(a))>...>()>(false);
        engine_.reduce(found[0], blamed(handle(a)...), f, handle(a)...);
        return found;
    }
    /// The same in each block by itself: values of blocks.
    template <class F, class... A>
    auto reduce_blocks(F const& f, A const&... a) {
        settle();
        auto const found =
            new_values<detail::values_found<T, F, std::decay_t<decltype(handle(a))>...>()>(true);
        engine_.reduce_blocks(found[0], blamed(handle(a)...), f, handle(a)...);
        return found;
    }
    /// Repeats a reduction if `flag` is not 0. Its values overwrite those from `out` on.
    template <class F, class... A>
    void reduce_where(ValueId flag, ValueId out, F const& f, A const&... a) {
        settle();
        engine_.where(flag, [&] { engine_.reduce(out, detail::Fault::none, f, handle(a)...); });
    }
    /// The root of the sum over all blocks of a value of single blocks.
    ValueId root_of_sum(ValueId of_blocks) {
        ValueId const root = new_values<1>(false)[0];
        engine_.root_of_sum(of_blocks, root);
        return root;
    }
    /// Runs the passes in `passes()` if `flag` is not 0.
    template <class Passes>
    void where(ValueId flag, Passes const& passes) {
        engine_.where(flag, passes);
    }

    /// y = from + eps, eps being what f's function returns for the arguments.
    template <class F, class... A>
    void displace(PointId y, ArrayId from, F const& f, A const&... a) {
        if (!eps_alone()) about_to_write(y);
        map(detail::Displaced<F, eps_alone()>{f}, Written{y.array}, from, a...);
    }
    /// The same, and returns ||eps||. conditional: f's function has conditions (see engine/reduction.hpp).
    template <bool conditional, class F, class... A>
    ValueId displace_measured(PointId y, ArrayId from, F const& f, A const&... a) {
        if (!eps_alone()) about_to_write(y);
        return reduce(detail::MeasuredDisplacement<F, eps_alone(), conditional>{{}, {f}},
                      Written{y.array}, from, a...)[0];
    }
    /// Call this before any pass but displace() writes the point y. (In place, y is then written into the model.)
    void about_to_write(PointId y) {
        settle();
        form_.about_to_write(y);
    }
    /// Whether only eps is asked for (Optimizer::perturbation). Then displace() writes eps, and not x + eps.
    static constexpr bool eps_alone() noexcept { return !Asks::is_step; }
    /// Whether ||eps|| is the same function of the radius in all groups.
    bool one_radius() const noexcept { return step_.one_radius; }

    /// How many values the reductions have found so far. There is room for 64 and 16 for each block. A loop that calls
    /// reuse(found) before each round, `found` being that number before the loop, has its values written over those of the round
    /// before.
    std::size_t found() const noexcept { return used_; }
    void reuse(std::size_t found) noexcept { used_ = found; }

    /// The array for the new values of a succession. They become the current ones when the step has succeeded.
    template <class Of>
    auto next(Of const& succession) {
        if (ending_.add(succession)) engine_.copy_frozen(succession.now, succession.next);
        return succession.next;
    }
    /// Sets mask = 1 at the `count` coordinates with the largest score(coordinate, values...), and leaves it as it was
    /// elsewhere. Of equal scores the lower coordinate is chosen. A negative score is never chosen.
    template <class Score, class... A>
    void choose_largest(std::size_t count, Score const& score, MaskId mask, A const&... a) {
        settle();
        engine_.choose_largest(count, score, mask, handle(a)...);
    }
    void clear(MaskId mask) { engine_.set(mask, 0); }
    /// mask = what f's function says of each coordinate.
    template <class F>
    void fill(MaskId mask, F const& f) {
        engine_.fill(mask, f);
    }
    /// Subtracts from each row of a matrix the mean of that row.
    void centralise(ArrayId a) {
        settle();
        engine_.centralise(a);
    }

    /// Checks whether a gradient is finite, unless a reduction has read it and so has checked it. For passes before the
    /// descent.
    void check(ArrayId gradient) {
        settle();
        auto& fault = unchecked(gradient);
        if (fault != detail::Fault::none) engine_.check(gradient, fault);
        fault = detail::Fault::none;
    }
    /// ||g||: what found_norm() was told, or else by a pass.
    ValueId norm(Gradient const& g) {
        return g_.id == ArrayId(g).id ? g_norm_ : reduce(detail::EuclideanLength{}, g)[0];
    }
    /// Says that a pass has found ||g||, which goes to the report.
    void found_norm(ArrayId g, ValueId norm) {
        g_ = g;
        g_norm_ = norm;
        note(detail::Note::gradient_norm, norm);
    }
    /// Puts a value into the report.
    void note(detail::Note what, ValueId v) { ending_.noted[static_cast<std::size_t>(what)] = v; }
    /// Puts the radius of a ball into the report, times the factor of its schedule.
    void note_radius(double rho) { report_.rho = std::abs(rho) * step_.rho_factor; }

    // For run/descent.hpp.
    Clipping const& clipping() const noexcept { return step_.clipping; }
    unsigned& descents() noexcept { return ending_.descents; }
    /// The last pass of a step, which changes x. Gradients among its arguments that no reduction has read are checked.
    template <class F, class... A>
    void map_last(F const& f, A const&... a) {
        settle();
        constexpr std::size_t most = 4;
        std::array<ArrayId, most> watched{};
        std::array<detail::Fault, most> faults{};
        std::size_t count = 0;
        auto const watch = [&](ArrayId array) {
            auto& fault = unchecked(array);
            if (count == most) {
                check(array);
            } else if (fault != detail::Fault::none) {
                watched[count] = array;
                faults[count++] = std::exchange(fault, detail::Fault::none);
            }
        };
        (each_array(handle(a), watch), ...);
        ended_ = true;
        engine_.map_last(ending_, watched, faults, count, f, handle(a)...);
    }

    /// Before a descent of ranks that average nothing else: u and what bypasses the base optimizer become their means, and so
    /// does what the method has written for the next step.
    template <std::size_t n, std::size_t m, class Extra>
    void share([[maybe_unused]] Blend<n, m, Extra>& b) {
        if constexpr (detail::takes_ranks<Engine>) {
            if (!sharing_.of_descents()) return;
            settle();
            auto const look = [&](ArrayId a) { check(a); };
            each_array(std::tuple(handle(b.u.of), handle(b.bypass.of)), look);
            std::apply([&](auto const&... more) { (each_array(handle(more), look), ...); },
                       b.extra.arguments);
            sharing_.share(b, ending_, losses());
        }
    }
    /// After it: the mean of what the method keeps.
    template <class Extra>
    void share_kept([[maybe_unused]] Extra const& extra) {
        if constexpr (detail::takes_ranks<Engine>) sharing_.share_kept(extra);
    }

    // For the optimizer.
    bool active() const noexcept { return step_.active; }
    detail::Ending& ending() noexcept { return ending_; }
    bool ended() const noexcept { return ended_; }
    void store_counters() {
        for (auto const& set : set_)
            counters_[static_cast<std::size_t>(set.counter.id)] = set.value;
    }

private:
    Gradient evaluate(Gradient spent, PointId at, Pass pass, Evaluation what) {
        { Gradient const released = std::move(spent); }
        if (free_.empty())
            detail::wrong_call("a method holds more gradients at a time than its plan says");
        Gradient g(free_);
        if (g_.id == ArrayId(g).id) g_ = {};
        if (!engine_.alive()) return g;
        if constexpr (detail::takes_ranks<Engine>) {
            if (what == Evaluation::sample && !sharing_.takes_sample(pass.sample)) {
                settle();
                engine_.zero(g);
                store({at, g, pass, what}, 0.0);
                return g;
            }
        }
        evaluations_.ask({at, g, pass, what}, storing());
        return g;
    }
    std::array<double*, 4> losses() {
        return {&report_.loss, &report_.perturbed_loss, &report_.mirrored_loss,
                &report_.second_loss};
    }
    // Before a pass, which may read the gradients that have been asked for.
    void settle() { evaluations_.settle(storing()); }
    auto storing() {
        return [this](detail::Asked const& asked, Loss const& loss) {
            return this->store(asked, loss);
        };
    }
    bool store(detail::Asked const& asked, Loss const& loss) {
        ++report_.evaluations;
        if constexpr (std::is_same_v<Loss, DeviceLoss>) {
            if (loss.is_number()) {
                store_loss(loss.number(), asked.what);
            } else {
                engine_.store_loss(loss, asked.what);
            }
        } else {
            store_loss(sharing_.averaged(asked, loss), asked.what);
        }
        unchecked(asked.gradient) = detail::gradient_fault(asked.what);
        return engine_.alive();
    }

    void store_loss(double loss, Evaluation what) {
        if (what <= Evaluation::second) *losses()[static_cast<std::size_t>(what)] = loss;
        if (!std::isfinite(loss)) engine_.fail(detail::loss_fault(what));
    }

    template <std::size_t n>
    std::array<ValueId, n> new_values(bool per_block) {
        std::array<ValueId, n> found;
        std::size_t const blocks = per_block ? engine_.layout().blocks() : 1;
        for (std::size_t k = 0; k < n; ++k) {
            found[k] = {static_cast<int>(used_ + k), per_block ? static_cast<int>(n) : 0};
        }
        used_ += n * (blocks == 0 ? 1 : blocks);
        if (used_ > Engine::capacity(engine_.layout().blocks()))
            detail::wrong_call("a step finds more values than there is room for");
        return found;
    }

    // For each gradient that has not been checked yet: the fault that is reported if it is not finite.
    detail::Fault& unchecked(ArrayId a) {
        auto const k = a.id - engine_.plan().arrays();
        return k >= 0 && k < static_cast<int>(unchecked_.size())
                   ? unchecked_[static_cast<std::size_t>(k)]
                   : no_gradient_;
    }
    template <class... A>
    detail::Fault blamed(A const&... a) {
        detail::Fault fault = detail::Fault::none;
        auto const look = [&](ArrayId array) {
            detail::Fault const own = std::exchange(unchecked(array), detail::Fault::none);
            if (fault == detail::Fault::none) fault = own;
        };
        (each_array(a, look), ...);
        return fault != detail::Fault::none ? fault : detail::Fault::update_norm;
    }
    // Calls f for each array among the arguments of a pass.
    template <class A>
    static void each_array(A const& a, detail::FunctionRef<void(ArrayId)> f) {
        if constexpr (std::is_same_v<A, ArrayId>) {
            f(a);
        } else if constexpr (requires { std::tuple_size<A>::value; }) {
            [&]<std::size_t... i>(std::index_sequence<i...>) {
                (each_array(std::get<i>(a), f), ...);
            }
            (std::make_index_sequence<std::tuple_size_v<A>>{});
        }
    }
    template <class A>
    static auto handle(A const& a) {
        if constexpr (std::is_convertible_v<A const&, ArrayId>) {
            return static_cast<ArrayId>(a);
        } else {
            return a;
        }
    }
    template <std::size_t n>
    static auto handle(std::array<Gradient, n> const& a) {
        return detail::arrays_of(a);
    }

    Engine& engine_;
    detail::Form<Loss>& form_;
    detail::Evaluations<Loss> evaluations_;
    GradientPool& free_;
    std::vector<std::uint64_t>& counters_;
    detail::Circumstances const& step_;
    detail::Sharing<Engine> sharing_;
    Report& report_;
    std::size_t used_ = 0;
    detail::Ending ending_;
    bool ended_ = false;
    ArrayId g_;  // whose norm is known
    ValueId g_norm_;
    std::array<detail::Fault, 8> unchecked_{};
    detail::Fault no_gradient_ = detail::Fault::none;
    detail::FewOf<detail::CounterValue, 4> set_;
};

}  // namespace polder
