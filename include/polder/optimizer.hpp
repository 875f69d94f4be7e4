/// An optimizer: a method over a base optimizer, bound to the parameters that it steps.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/blocks/container.hpp>
#include <polder/blocks/overlap.hpp>
#include <polder/closure/device_report.hpp>
#include <polder/closure/forms.hpp>
#include <polder/closure/non_finite.hpp>
#include <polder/closure/pass.hpp>
#include <polder/closure/report.hpp>
#include <polder/closure/requirements.hpp>
#include <polder/concepts.hpp>
#include <polder/config.hpp>
#include <polder/engine/cpu.hpp>
#include <polder/error.hpp>
#include <polder/moved_from.hpp>
#include <polder/policy_name.hpp>
#include <polder/run/binding.hpp>
#include <polder/run/blend.hpp>
#include <polder/run/descent.hpp>
#include <polder/run/fits.hpp>
#include <polder/run/handles.hpp>
#include <polder/run/ranks.hpp>
#include <polder/run/run.hpp>
#include <polder/run/usage.hpp>
#include <polder/settings.hpp>

namespace polder {

/// A method is an algorithm over a run (run/run.hpp), written once for all containers, scalars and devices:
///
///     State init(Plan& plan) const;                     what it keeps and needs (run/handles.hpp)
///     void step(run, state, base) const;                a step, which ends with base.descend(run, u) (run/descent.hpp)
///     void validate() const;                            throws for a hyper-parameter that is out of range
///
/// and, where it has them:
///
///     Placed place(run, state) const;                   the way to x + eps, for perturbation(); or place(run, state, base)
///     void rest(run, state, base) const;                the steps between, where an Interval is set; else u = g
///     void start(run, state) const;                     passes for the first values of what it keeps
///     static constexpr int batches = 2;                 it asks for a second batch
///     static constexpr bool samples = true;             it asks for single samples
///
/// The last pass of a step writes x and all that lasts, after the last call of the closure. So a closure that throws leaves
/// everything as it was, and so does a step in which something is not finite (NonFinite names the one exception).
///
/// Results do not depend on the number of threads or on the container. They do not depend on how parameters are cut into
/// blocks either, except for methods that say so in their name. Only the first step allocates memory. Not thread-safe: one
/// step at a time. A copy has a state of its own. One that has been moved from can be assigned to, and refuses to step.
template <class Method, class BaseOpt>
class POLDER_OPENMP_MARK Optimizer : public Settings {
    static constexpr bool fits = detail::fits<Method, BaseOpt>();
    static_assert(sizeof(detail::BaseFits<BaseOpt>) > 0);
    static_assert(sizeof(detail::MethodFits<Method, BaseOpt>) > 0);
    static constexpr bool samples = detail::samples_asked<Method>;
    template <bool is_step>
    using Asks = detail::Asks<detail::batches_asked<Method>, samples, is_step>;
    template <class Engine>
    static constexpr bool starts = detail::starts<Method, Run<Engine, Asks<false>>>;
    template <class C>
    using EngineFor = typename EngineOf<memory_space_t<C>, scalar_t<C>>::type;

public:
    /// How many batches a step asks for.
    static constexpr int batches = detail::batches_asked<Method>;
    /// Whether there is an eps, and so perturbation().
    static constexpr bool has_perturbation = detail::places<Method>;
    /// Whether there is a mask, and so set_mask().
    static constexpr bool has_mask = detail::has_mask<Method>;

    /// What a step of parameters C returns: a Report; for parameters on a device a DeviceReport, which is read later.
    template <class C>
    using ReportOf = typename detail::ReportFor<memory_space_t<C>, scalar_t<C>>::type;

    /// Of parts with their defaults.
    Optimizer() requires std::default_initializable<Method> && std::default_initializable<BaseOpt>
        : Optimizer(Method{}, BaseOpt{}) {}
    /// Throws std::invalid_argument that names the hyper-parameter which is out of range, its value
    /// and the range.
    Optimizer(Method method, BaseOpt base) : method_(std::move(method)), base_(std::move(base)) {
        validate();
    }
    Optimizer(Optimizer const&) = default;
    Optimizer(Optimizer&&) = default;
    /// Where memory is missing, the optimizer is as it was.
    Optimizer& operator=(Optimizer const& other) { return *this = Optimizer(other); }
    Optimizer& operator=(Optimizer&&) = default;
    ~Optimizer() = default;

    /// One step. Changes x in place and returns a report of what was measured.
    ///
    /// closure: scalar(C const& at, C& gradient) or scalar(C const& at, C& gradient, Pass). It returns
    /// the loss at `at` and overwrites `gradient` (of the shape of x, content unspecified) with its
    /// gradient. The loss may be the mean or the sum over the batch, but the same in all steps.
    /// A method with two batches, or with samples, needs the second form.
    ///
    /// Throws what the closure throws; NonFiniteError; std::invalid_argument where x is not of the
    /// shape of the first step, two blocks share memory (tied weights are listed once), a hyper-parameter was changed to
    /// something out of range, or a group names a block that x does not have.
    template <class C, class Closure>
    auto step(C&& x, Closure&& closure) -> ReportOf<std::remove_reference_t<C>> {
        using Container = std::remove_reference_t<C>;
        if constexpr (detail::check_arguments<Container, C&&, Closure, (batches > 1), samples>() &&
                      fits) {
            using Form = detail::OutOfPlace<EngineFor<Container>, Container,
                                            std::remove_reference_t<Closure>>;
            return together<Form, true>(step_passes(), x, closure, bound_.twins);
        } else {
            return {};
        }
    }

    /// As above, with a closure for each batch: scalar(C const& at, C& gradient).
    template <class C, class First, class Second>
    auto step(C&& x, First&& first, Second&& second) -> ReportOf<std::remove_reference_t<C>> {
        using Container = std::remove_cvref_t<C>;
        detail::check_two_closures<Container, First, Second, batches>();
        using Loss = std::invoke_result_t<First&, Container const&, Container&>;
        using Result = std::conditional_t<std::is_same_v<Loss, DeviceLoss>, DeviceLoss, double>;
        return step(std::forward<C>(x), [&](Container const& at, Container& gradient, Pass pass) {
            return pass.batch == Batch::first ? static_cast<Result>(first(at, gradient))
                                              : static_cast<Result>(second(at, gradient));
        });
    }

    /// One step of a model that owns its parameters x and its gradient (same shape), and that computes
    /// only at x. closure: scalar() or scalar(Pass). It returns the loss at what x holds and overwrites
    /// `gradient`. For the second evaluation x + eps is written into x; then x is put back bit for
    /// bit, also when the closure throws. Costs two copies of x more than step(). Results are the
    /// same bit for bit.
    template <class C, class Closure>
    ReportOf<C> step_in_place(C& x, C& gradient, Closure&& closure) {
        using Call = std::remove_reference_t<Closure>;
        detail::check_container<C, C&>();
        detail::check_closure_in_place<Call, (batches > 1), samples>();
        using Form = detail::InPlace<EngineFor<C>, C, Call>;
        return together<Form, true>(step_passes(), x, gradient, closure, bound_.free_gradients);
    }

    /// Writes the perturbation eps that the next step of the method would have at x to `eps` (same shape), and changes
    /// nothing else: for measuring sharpness. Calls the closure as the step does to reach x + eps.
    template <class C, class Closure>
    ReportOf<C> perturbation(C& x, Closure&& closure, C& eps) {
        static_assert(has_perturbation, "polder: this method has no perturbation");
        if constexpr (detail::check_arguments<C, C&, Closure, (batches > 1), samples>() &&
                      has_perturbation) {
            using Form = detail::OutOfPlace<EngineFor<C>, C, std::remove_reference_t<Closure>>;
            auto const passes = [&](auto& engine, auto& run) {
                // First, so that other ranks learn of what is wrong with it.
                detail::collect(engine, eps, engine.callers_array(), "eps",
                                {detail::Called("the parameters", x)});
                auto const y = place(run).y;
                run.map(detail::CopyPass{}, Written{engine.callers_array()}, y);
                if (engine.alive()) engine.clear_frozen(engine.callers_array());
            };
            return together<Form, false>(passes, x, closure, bound_.twins);
        } else {
            return {};
        }
    }

    /// Allocates the state for x without a step. Does nothing if the state is there. Needed before
    /// visit_state on a fresh optimizer. Throws std::invalid_argument if the state is of another shape.
    template <class C>
    void bind(C& x) {
        detail::check_container<C, C&>();
        prepare(x);
    }

    /// Sets the mask of a masked ball, one value for each coordinate, through all blocks of x: 1 where it moves, 0 where
    /// it does not. Throws std::invalid_argument if there are more or fewer values than x has coordinates.
    template <class C>
    void set_mask(C& x, std::span<std::uint8_t const> mask) {
        static_assert(has_mask, "polder: this method has no mask");
        detail::check_container<C, C&>();
        if constexpr (has_mask) {
            auto& engine = prepare(x);
            std::size_t const size = engine.layout().size();
            if (mask.size() != size) {
                POLDER_THROW std::invalid_argument("polder: the mask has " +
                                                   std::to_string(mask.size()) +
                                                   " values, expected " + std::to_string(size));
            }
            auto const values = engine.values(method_.mask(*bound_.state));
            std::transform(mask.begin(), mask.end(), values.begin(),
                           [](std::uint8_t m) -> std::uint8_t { return m != 0 ? 1 : 0; });
            engine.write_back();
        }
    }

    /// Calls f(std::string_view name, std::span<T> values) for each array of the state (T: float or
    /// double, as bound, and std::uint8_t for a mask), f(std::string_view name, std::uint64_t& count) for
    /// each counter, and f("base_steps", std::span<std::uint64_t> counts) with a count for each block, in a fixed order.
    template <class F>
    void visit_state(F&& f) {
        if (!counts_are_ours_) bound_.engine.count(data_);
        counts_are_ours_ = true;  // may be written to, until the next step
        bound_.visit_arrays(f);
        f(std::string_view("steps"), data_.steps);
        f(std::string_view("skipped_steps"), data_.skipped);
        f(std::string_view("method_steps"), data_.method_steps);
        f(std::string_view("epochs"), epochs_);
        f(std::string_view("batch"), batch_);
        for (std::size_t k = 0; k < bound_.counters.size(); ++k) {
            f(std::string_view(bound_.plan->counters()[k]), bound_.counters[k]);
        }
        f(std::string_view("base_steps"), std::span<std::uint64_t>(base_steps_of_blocks()));
    }

    /// The composed type, by the names of its parts. Two optimizers with the same text have the same state, except for
    /// options of the base optimizer.
    std::string method() const {
        std::string const kind = requires { Method::family; }
        ? "Sharpness<" : "Optimizer<";
        return kind + policy_name<Method>() + ", " + policy_name<BaseOpt>() + ">";
    }

    /// The method and the base optimizer. A hyper-parameter (learning_rate, rho) may be changed between steps. An option
    /// that decides how much state there is (momentum from or to 0, amsgrad) may not.
    Method& policy() noexcept { return method_; }
    Method const& policy() const noexcept { return method_; }
    BaseOpt& base() noexcept { return base_; }
    BaseOpt const& base() const noexcept { return base_; }

    /// base().learning_rate, for functions that take any optimizer: AnyOptimizer has these members, too.
    double learning_rate() const noexcept requires detail::has_learning_rate<BaseOpt> {
        return base_.learning_rate;
    }
    void set_learning_rate(double rate) noexcept requires detail::has_learning_rate<BaseOpt> {
        base_.learning_rate = rate;
    }

    /// To be called before each launch of a CUDA graph in which a step was captured. Counts the step, and writes the
    /// learning rate and rho of that step (schedules, groups) where the graph reads them. Without this call schedules stay
    /// at their value; Adam's bias correction goes on, since the device counts its steps itself.
    template <class C>
    void before_replay(C& x) {
        detail::check_container<C, C&>();
        auto& engine = prepare(x);
        count_step(last_descents_, interval_.active(data_.steps, batch_));
        engine.expect(data_);
    }

private:
    POLDER_APART void validate() const {
        method_.validate();
        base_.validate();
        if constexpr (requires { method_.validate_over(base_); }) method_.validate_over(base_);
        validate_groups();
    }

    // The engine for x. It knows where the blocks of x lie, and the numbers of the next step.
    template <class C>
    auto& prepare(C& x) {
        using Engine = EngineFor<C>;
        if (moved_from_.is())
            detail::wrong_call("this optimizer has been moved from; assign one to it first");
        validate();
        detail::validate_as<scalar_t<C>>(base_);
        if (bound_.engine.empty()) make_engine<Engine>(x);
        auto* const engine = bound_.engine.template get<Engine>();
        if (engine == nullptr) {
            detail::wrong_argument(
                {"the scalar type of the parameters is not that of the first step"});
        }
        if constexpr (!detail::step_of_its_own<BaseOpt>) {
            if (detail::state_size(base_) != bound_.base_state->count) {
                detail::wrong_argument(
                    {"the base optimizer's options now need other state than at the first step"});
            }
        }
        counts_are_ours_ = false;
        engine->data = &data_;
        engine->run_on(threads(), stream_);
        engine->write_back();
        bool const moved = detail::collect(*engine, x, {0}, "the parameters");
        if (moved) detail::forget(*engine, engine->callers_array());
        settle(*engine);
        return *engine;
    }

    template <class Engine, class C>
    POLDER_COLD void make_engine(C& x) {
        detail::require_apart({}, detail::Called("the parameters", x));
        POLDER_TRY { start(bound_.template make<Engine>(x, method_, base_)); }
        POLDER_CATCH_ALL {
            bound_.engine.clear();
            POLDER_RETHROW;
        }
        forget_blocks();
    }

    // passes(engine, run). The form is made of the engine, x and `of_form`. What goes wrong on one rank the others learn.
    template <class Form, bool is_step, class Passes, class C, class... OfForm>
    auto together(Passes const& passes, C& x, OfForm&... of_form) {
        auto* const met = detail::ranks_of<is_step>(ranks_.get());
        detail::RanksGuard guard(joined_ ? met : ranks_.get());
        auto& engine = prepare(x);
        if (ranks_ != nullptr && !joined_) {
            if constexpr (detail::takes_ranks<EngineFor<C>>) {
                join(engine, bound_.engine, *bound_.plan, detail::spelling<Optimizer>(),
                     detail::compared(method_, base_), bound_.counters);
            } else {
                detail::wrong_argument({"ranks take parameters in the host's memory alone"});
            }
            guard.ranks = met;
            settle(engine);  // with the counts of now
        }
        Form form(engine, x, of_form...);
        return with_run<Asks<is_step>>(engine, form, guard, passes);
    }
    // Runs the method's passes for the first values of its state. They run over all blocks, also over frozen ones.
    template <class Engine>
    void start(Engine& engine) {
        if constexpr (starts<Engine>) {
            detail::StepData const data{
                .settings = {{}},
                .group = std::vector<std::uint32_t>(engine.blocks().sizes.size()),
                .base_steps = {0}};
            engine.data = &data;
            engine.run_on(threads(), stream_);
            engine.refresh();
            detail::NoClosure<typename Engine::Loss> form;
            detail::RanksGuard alone(nullptr);
            auto const passes = [&](auto&, auto& run) { method_.start(run, *bound_.state); };
            with_run<Asks<false>>(engine, form, alone, passes);
        }
    }

    // passes(engine, run) between the begin and the end of a step. Asked::is_step: false where x and the state do not change.
    template <class Asked, class Engine, class Passes>
    auto with_run(Engine& engine, detail::Form<typename Engine::Loss>& form,
                  detail::RanksGuard& guard, Passes const& passes) -> typename Engine::StepReport {
        auto* const ranks = guard.ranks;
        detail::Circumstances const step{clipping_,    epoch(),
                                         batch_,       data_.method_steps,
                                         one_radius(), interval_.active(data_.steps, batch_),
                                         rho_factor_,  ranks};
        Report report;
        if constexpr (requires { base_.learning_rate; })
            report.learning_rate = base_.learning_rate * rate_factor_;
        bound_.free_all_gradients();
        engine.begin(non_finite_);
        Run<Engine, Asked> run(engine, form, bound_.free_gradients, bound_.counters, step, report);
        passes(engine, run);
        guard.ranks = nullptr;

        detail::Ending const& ending = run.ending();
        if (Asked::is_step && !run.ended() && engine.alive())
            detail::wrong_call("a step of a method ends with a descent");
        detail::Fault fault = engine.end(ending, run.ended());
        if (ranks != nullptr && ranks->outcome.fault != detail::Fault::none)
            fault = ranks->outcome.fault;
        if (fault != detail::Fault::none) {
            if (non_finite_ == NonFinite::raise)
                detail::not_finite(data_.steps + 1, fault, ranks == nullptr ? "" : ranks->where());
            if (Asked::is_step) ++data_.skipped;
            report.skipped = true;
        } else if (Asked::is_step && !engine.recording()) {
            last_descents_ = ending.descents;
            run.store_counters();
            count_step(ending.descents, ending.active);
            engine.expect(data_);
            uncount_left_out(engine.layout(), ending.descents);
        }
        return engine.report(report, ending);
    }

    // The passes of a step: of one type, so that they are compiled once for all closures and containers.
    auto step_passes() {
        return [this](auto&, auto& run) { this->take_step(run); };
    }
    template <class R>
    Placed place(R& run) {
        Descends<BaseOpt> const base{base_, *bound_.base_state};
        if constexpr (requires { method_.place(run, *bound_.state, base); }) {
            return method_.place(run, *bound_.state, base);
        } else {
            return method_.place(run, *bound_.state);
        }
    }
    template <class R>
    void take_step(R& run) {
        Descends<BaseOpt> const base{base_, *bound_.base_state};
        auto const& state = *bound_.state;
        if (run.active()) {
            method_.step(run, state, base);
        } else if constexpr (requires { method_.rest(run, state, base); }) {
            method_.rest(run, state, base);
        } else {
            base.descend(run, run.gradient(B1, run.x()));
        }
    }

    Method method_;
    BaseOpt base_;
    detail::Binding<Method, BaseOpt> bound_;
    unsigned last_descents_ = 1;
    detail::MovedFrom moved_from_;
    bool counts_are_ours_ = false;  // data_ has the counts, and they need not be read from a device
};

}  // namespace polder
