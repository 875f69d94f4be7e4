/// One step of a sharpness-aware optimizer, composed at compile time.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/blocks/container.hpp>
#include <polder/closure/clipping.hpp>
#include <polder/closure/device_report.hpp>
#include <polder/closure/forms.hpp>
#include <polder/closure/non_finite.hpp>
#include <polder/closure/pass.hpp>
#include <polder/closure/report.hpp>
#include <polder/concepts.hpp>
#include <polder/distance/distance_to.hpp>
#include <polder/engine/cpu.hpp>
#include <polder/engine/memory.hpp>
#include <polder/groups/group.hpp>
#include <polder/mix/none.hpp>
#include <polder/perturb/none.hpp>
#include <polder/policy_name.hpp>
#include <polder/schedule/interval.hpp>
#include <polder/step/ascent.hpp>
#include <polder/step/descent.hpp>
#include <polder/step/features.hpp>
#include <polder/step/mask.hpp>

namespace polder {

/// The step that all methods share, at parameters x, with batches B1 and, where Mix wants it, B2:
///
///     g   = grad L_B1(x)
///     e   = average of gradients                  (only if Distance keeps one)
///     v   = g - d e,   d = Distance(g, e)
///     eps = Perturb(v)
///     s   = grad L_B1(x + eps)
///     u   = Mix(s, g, grad L_B2(x))
///     x   = BaseOpt(x, u)
///
/// The policies are scalar functions; this class composes them into passes over memory:
///
///     reduce    read g, e; write e       sums for d and ||v||
///     perturb   read x, g, e; write x + eps
///     check     read s, g2               are they finite? (see NonFinite; large ones in the base pass)
///     mix       read g, s                inner products, for a Mix that asks for them
///     base      read x, s, g or g2, and the state; write x and the state
///
/// x and the state are written by the last pass alone, after the last call of the closure. So a
/// closure that throws leaves everything as it was, and so does a step that is refused (see NonFinite
/// for the one exception).
///
/// With an Interval the method is itself on some steps, and its base optimizer with g on the others.
///
/// Results do not depend on the number of threads, on the container, or on how parameters are cut
/// into blocks (but for policies that say so in their name). After the first step a step allocates nothing.
/// Not thread-safe: one step at a time.
template <class Perturb, class Distance, class Mix, class BaseOpt>
class Sharpness {
    static_assert(perturbation<Perturb>, "polder: Perturb is a ball with validate() and "
                                         "coefficient(norm), or a policy around one; see "
                                         "docs/writing_a_method.md");
    static_assert(
        distance<Distance>,
        "polder: Distance is NoDistance or DistanceTo<Reference, Measure>, whose Measure needs "
        "validate(), distance(...) and, for a reduction of its own, term(g, e); see "
        "docs/writing_a_method.md");
    static_assert(
        mixing<Mix>,
        "polder: Mix needs validate() and weights(products); see docs/writing_a_method.md");
    static_assert(
        base_optimizer<BaseOpt>,
        "polder: BaseOpt needs validate(), state_names() and with_update<T>(step, f); see "
        "docs/writing_a_method.md");

    using Features = detail::PerturbFeatures<Perturb>;
    using MixNeeds = detail::MixFeatures<Mix>;

    static constexpr bool perturbs = Features::perturbs;
    static constexpr bool mirrors = Features::mirrors;
    static constexpr bool has_reference = !std::is_same_v<Distance, NoDistance>;
    static constexpr bool two_batches = MixNeeds::second;
    // Whether a step may differ from one of the base optimizer.
    static constexpr bool leaves = perturbs || mirrors;
    static constexpr bool takes_samples =
        Features::template estimates<SampleFisher> || Features::template has_mask<FisherMask>;
    static constexpr detail::Kept kept{.clean = MixNeeds::clean, .perturbed = two_batches};

    static_assert(perturbs || !MixNeeds::clean,
                  "polder: a Mix that reads the clean gradient needs a perturbation");
    static_assert(!mirrors || (std::is_same_v<Mix, NoMix> && !has_reference),
                  "polder: a Mirror takes NoDistance and NoMix");
    static_assert(!Features::several_ascents || !has_reference,
                  "polder: SeveralAscents takes NoDistance");

public:
    /// Whether there is an eps, and so perturbation().
    static constexpr bool has_perturbation = perturbs;

    /// What a step of parameters C returns: a Report, or, where they lie on a device, a DeviceReport that can wait.
    template <class C>
    using ReportOf = typename detail::ReportFor<memory_space_t<C>>::type;

    /// Throws std::invalid_argument that names the hyper-parameter which is out of range, its value
    /// and the range.
    Sharpness(Perturb perturb, Distance distance, Mix mix, BaseOpt base)
        : perturb_(std::move(perturb)), distance_(std::move(distance)), mix_(std::move(mix)),
          base_(std::move(base)) {
        validate();
    }

    /// One step: x is changed in place, a report of what was measured comes back.
    ///
    /// closure: scalar(C const& at, C& gradient) or scalar(C const& at, C& gradient, Pass): returns
    /// the loss at `at` and overwrites `gradient` (of the shape of x, content unspecified) with its
    /// gradient. Whether the loss is the mean or the sum over the batch is the caller's choice,
    /// once for all. A method with two batches, or with samples, needs the second form.
    ///
    /// Throws what the closure throws; NonFiniteError; std::invalid_argument where x is not of the
    /// shape of the first step, a hyper-parameter was changed to something out of range, or a group names a
    /// block that x does not have.
    template <class C, class Closure>
    auto step(C&& x, Closure&& closure) -> ReportOf<std::remove_reference_t<C>> {
        using Container = std::remove_reference_t<C>;
        if constexpr (check_arguments<Container, C&&, Closure>()) {
            auto& memory = prepare(x);
            auto& twins = twins_.of(x, leaves, kept.clean, two_batches);
            detail::OutOfPlace<Container, std::remove_reference_t<Closure>, kept> form(
                x, closure, twins, memory);
            return advance(memory, form);
        } else {
            return {};
        }
    }

    /// As above, with a closure for each batch: scalar(C const& at, C& gradient).
    template <class C, class First, class Second>
    auto step(C&& x, First&& first, Second&& second) -> ReportOf<std::remove_reference_t<C>> {
        static_assert(two_batches, "polder: this method uses one batch; give one closure");
        using Container = std::remove_cvref_t<C>;
        using Loss = std::invoke_result_t<First&, Container const&, Container&>;
        using Result = std::conditional_t<std::is_same_v<Loss, DeviceLoss>, DeviceLoss, double>;
        return step(std::forward<C>(x), [&](Container const& at, Container& gradient, Pass pass) {
            return pass.batch == Batch::first ? static_cast<Result>(first(at, gradient))
                                              : static_cast<Result>(second(at, gradient));
        });
    }

    /// One step of a model that owns its parameters x and its gradient (same shape) and computes at
    /// x alone. closure: scalar() or scalar(Pass): returns the loss at what x holds and overwrites
    /// `gradient`. x + eps is written into x for the second evaluation, and x is put back bit for
    /// bit, also when the closure throws. Costs two copies of x more than step(); results are the
    /// same bit for bit.
    template <class C, class Closure>
    ReportOf<C> step_in_place(C& x, C& gradient, Closure&& closure) {
        check_container<C, C&>();
        using Call = std::remove_reference_t<Closure>;
        static_assert(
            std::invocable<Call&> || std::invocable<Call&, Pass>,
            "polder: the closure of step_in_place is called as scalar() or scalar(polder::Pass)");
        static_assert(!two_batches || std::invocable<Call&, Pass>,
                      "polder: this method uses two batches; let the closure take a polder::Pass");
        static_assert(
            !takes_samples || std::invocable<Call&, Pass>,
            "polder: this method asks for single samples; let the closure take a polder::Pass");
        auto& memory = prepare(x);
        const std::size_t size = memory.engine.layout().size();
        if constexpr (leaves) memory.saved.resize(size);
        if constexpr (kept.clean) memory.kept_gradient.resize(size);
        if constexpr (kept.perturbed) memory.kept_perturbed.resize(size);
        detail::InPlace<C, Call, kept> form(x, gradient, closure, memory);
        return advance(memory, form);
    }

    /// Writes the perturbation eps of the next step at x, as a step of the method, into `eps` (same shape) and
    /// changes nothing else: for measuring sharpness. Evaluates the closure on the first batch: once, and
    /// once more for each further ascent and each sample.
    template <class C, class Closure>
    ReportOf<C> perturbation(C& x, Closure&& closure, C& eps) {
        static_assert(perturbs, "polder: this method has no perturbation");
        if constexpr (check_arguments<C, C&, Closure>()) {
            auto& memory = prepare(x);
            auto& twins = twins_.of(x, leaves, kept.clean, two_batches);
            detail::OutOfPlace<C, std::remove_reference_t<Closure>, kept> form(x, closure, twins,
                                                                               memory);
            Report report;
            begin_passes(memory);
            if (measure_perturbation(memory, form, eps, report)) end_passes(memory, {});
            return reported(memory, report);
        } else {
            return {};
        }
    }

    /// Tells that the next step is the first of an epoch: for masks, and intervals that restart. Not needed by
    /// other methods.
    void begin_epoch() noexcept {
        ++epochs_;
        batch_ = 0;
    }

    /// Allocates the state for x without a step; a no-op when it is there. Needed before
    /// visit_state on a fresh optimizer. Throws std::invalid_argument where the state is of another
    /// shape.
    template <class C>
    void bind(C& x) {
        check_container<C, C&>();
        prepare(x);
    }

    /// Sets the mask of a masked ball: 1 where a coordinate moves, 0 where it does not, counted through all
    /// blocks of x. Throws std::invalid_argument where there are not as many as x has coordinates.
    template <class C>
    void set_mask(C& x, std::span<std::uint8_t const> mask) {
        static_assert(Features::masked, "polder: this method has no mask");
        check_container<C, C&>();
        auto& memory = prepare(x);
        const std::size_t size = memory.engine.layout().size();
        if (mask.size() != size) {
            throw std::invalid_argument("polder: the mask has " + std::to_string(mask.size()) +
                                        " values, expected " + std::to_string(size));
        }
        std::vector<std::uint8_t> ones(mask.begin(), mask.end());
        for (auto& m : ones) m = m != 0 ? 1 : 0;
        memory.mask.set(ones);
    }

    /// Calls f(std::string_view name, std::span<T> values) for each array of the state (T: float or
    /// double, as bound, and std::uint8_t for a mask), and f(std::string_view name, std::uint64_t& count) for
    /// each counter, in a fixed order.
    template <class F>
    void visit_state(F&& f) {
        take_counts();
        const detail::StateParts parts{.base = base_.state_names(),
                                       .reference = has_reference,
                                       .fisher = Features::template estimates<RunningFisher>,
                                       .mask = Features::masked,
                                       .kept = MixNeeds::reuses};
        for (detail::StateArray const& array : memory_.state(parts)) {
            std::visit([&](auto values) { f(array.name, values); }, array.values);
        }
        f(std::string_view("steps"), steps_);
        f(std::string_view("skipped_steps"), skipped_steps_);
        f(std::string_view("method_steps"), method_steps_);
        f(std::string_view("epochs"), epochs_);
        f(std::string_view("batch"), batch_);
        f(std::string_view("mask_due"), mask_due_);
        f(std::string_view("base_steps"), base_steps_[0]);
        for (std::size_t k = 0; k < groups_.size(); ++k) {
            f(std::string_view("base_steps." + groups_[k].name), base_steps_[k + 1]);
        }
    }

    /// The composed type, by the names of the policies: two optimizers of the same text keep the same state,
    /// but for options of the base optimizer.
    std::string method() const {
        return "Sharpness<" + policy_name<Perturb>() + ", " + policy_name<Distance>() + ", " +
               policy_name<Mix>() + ", " + policy_name<BaseOpt>() + ">";
    }

    /// The policies. A hyper-parameter may be changed between steps (learning_rate, rho); an option
    /// that decides how much state there is (momentum from or to 0, amsgrad) may not.
    BaseOpt& base() noexcept { return base_; }
    BaseOpt const& base() const noexcept { return base_; }
    Perturb& perturb() noexcept { return perturb_; }
    Perturb const& perturb() const noexcept { return perturb_; }
    Distance& distance() noexcept { return distance_; }
    Distance const& distance() const noexcept { return distance_; }
    Mix& mix() noexcept { return mix_; }
    Mix const& mix() const noexcept { return mix_; }

    /// Blocks with hyper-parameters of their own. Throws std::invalid_argument for a value out of range and a
    /// name that is empty or used twice; whether the blocks exist is found out at the next step. The base
    /// optimizer of a group counts its own steps: those in which the group was not frozen.
    void set_groups(std::vector<Group> groups) {
        for (std::size_t k = 0; k < groups.size(); ++k) {
            if (groups[k].name.empty()) throw std::invalid_argument("polder: a group needs a name");
            groups[k].validate();
            for (std::size_t other = 0; other < k; ++other) {
                if (groups[other].name == groups[k].name) {
                    throw std::invalid_argument("polder: two groups are named '" + groups[k].name +
                                                "'");
                }
            }
        }
        groups_ = std::move(groups);
        base_steps_.resize(1);
        base_steps_.resize(1 + groups_.size(), base_steps_[0]);
        groups_assigned_ = false;
    }

    /// The group of that name, whose values may be changed between steps; its name and its blocks may not.
    /// Throws std::out_of_range that lists the known names.
    Group& group(std::string_view name) {
        std::vector<std::string_view> known;
        for (Group& group : groups_) {
            if (group.name == name) return group;
            known.push_back(group.name);
        }
        throw std::out_of_range("polder: unknown group '" + std::string(name) +
                                "'; known: " + (known.empty() ? "none" : detail::listed(known)));
    }

    /// On which steps the method is itself; default: on all. Throws std::invalid_argument where it is not valid.
    void set_interval(Interval const& interval) {
        interval.validate();
        interval_ = interval;
    }
    Interval const& interval() const noexcept { return interval_; }

    /// What the learning rate and rho of step t = 0, 1, ... are multiplied with, in all groups; default: 1. See
    /// schedules.hpp.
    void set_learning_rate_schedule(std::function<double(std::uint64_t)> schedule) {
        learning_rate_schedule_ = std::move(schedule);
    }
    void set_rho_schedule(std::function<double(std::uint64_t)> schedule) {
        rho_schedule_ = std::move(schedule);
    }

    /// Limits of the gradient that the base optimizer gets; default: none.
    void set_clipping(Clipping const& clipping) {
        clipping.validate();
        clipping_ = clipping;
    }

    /// Threads of the passes, >= 1; default: OpenMP's number, 1 without OpenMP. Results do not
    /// depend on it.
    void set_threads(int threads) {
        if (threads < 1) detail::refuse("threads", threads, "a number >= 1");
        threads_ = threads;
    }
    int threads() const noexcept { return threads_; }

    /// The stream of the passes over a device's memory, a cudaStream_t; default: the device's default stream.
    void set_stream(void* stream) noexcept { stream_ = stream; }

    /// For a step that was captured in a CUDA graph: to be called before the graph is launched once more. Counts
    /// the step, and puts the learning rate and rho of its number (schedules, groups) where the graph reads
    /// them. Without it the schedules stand still; Adam's bias correction, which the device counts for, does not.
    template <class C>
    void before_replay(C& x) {
        check_container<C, C&>();
        auto& memory = prepare(x);
        settle_schedules(memory);
        count_step(memory, leaves && interval_.active(steps_, batch_));
    }

    /// What to do with losses and gradients that are not finite; default: raise.
    void set_non_finite(NonFinite policy) noexcept { non_finite_ = policy; }
    NonFinite non_finite() const noexcept { return non_finite_; }

    /// Steps that changed the parameters, and steps that NonFinite::skip left out.
    std::uint64_t steps() const noexcept { return steps_; }
    std::uint64_t skipped_steps() const noexcept { return skipped_steps_; }

private:
    template <class C, class Argument>
    static constexpr bool check_container() {
        static_assert(!std::is_const_v<C>,
                      "polder: the parameters are const; pass a container that can be written to");
        if constexpr (!std::is_const_v<C>) {
            static_assert(
                !std::is_same_v<scalar_t<C>, detail::Mixed>,
                "polder: the blocks of the parameters mix float and double; use one of them");
            static_assert(!std::is_same_v<memory_space_t<C>, detail::Mixed>,
                          "polder: the blocks of the parameters lie on different devices; keep all "
                          "of them on one");
            // Nothing else is said of blocks that are known, but cannot be stepped.
            constexpr bool in_reach =
                std::is_void_v<scalar_t<C>> || detail::accessible<memory_space_t<C>>;
            static_assert(in_reach || std::is_same_v<memory_space_t<C>, detail::Mixed>,
                          "polder: the parameters lie on a device; include polder/cuda.hpp (or "
                          "polder/thrust.hpp) before they are stepped");
            static_assert(
                !detail::eigen_like<C> || parameter_container<C>,
                "polder: this Eigen type is not contiguous; pass a matrix, a vector or a Map "
                "without strides");
            static_assert(
                detail::eigen_like<C> || std::is_same_v<scalar_t<C>, detail::Mixed> || !in_reach ||
                    parameter_container<C>,
                "polder: not a parameter container; pass contiguous float or double (std::vector, "
                "std::span, Eigen, ParameterArena), a nest of these, or specialise "
                "polder::Members");
            static_assert(
                !parameter_container<C> || std::is_lvalue_reference_v<Argument> || detail::view<C>,
                "polder: the parameters are a temporary; pass a variable, or a view of one");
        }
        return parameter_container<C>;
    }

    // A number, or one that a device keeps.
    template <class Loss, class C>
    static constexpr bool is_loss = std::is_convertible_v<Loss, double> ||
                                    (std::is_same_v<Loss, DeviceLoss> &&
                                     !std::is_same_v<memory_space_t<C>, HostMemory>);

    template <class C, class Argument, class Closure>
    static constexpr bool check_arguments() {
        if constexpr (check_container<C, Argument>()) {
            using Call = std::remove_reference_t<Closure>;
            constexpr bool with_pass = detail::pass_closure<Call, C>;
            constexpr bool without = detail::plain_closure<Call, C>;
            static_assert(
                with_pass || without,
                "polder: the closure is called as scalar(parameters const&, gradient&) or "
                "scalar(parameters const&, gradient&, polder::Pass), the gradient being of the "
                "type of the parameters");
            static_assert(
                !two_batches || with_pass || !without,
                "polder: this method uses two batches; let the closure take a polder::Pass");
            static_assert(
                !takes_samples || with_pass || !without,
                "polder: this method asks for single samples; let the closure take a polder::Pass");
            if constexpr (with_pass) {
                using Loss = std::invoke_result_t<Call&, C const&, C&, Pass>;
                static_assert(is_loss<Loss, C>,
                              "polder: the closure must return the loss as a number; add a return");
                return is_loss<Loss, C>;
            } else if constexpr (without && !two_batches && !takes_samples) {
                using Loss = std::invoke_result_t<Call&, C const&, C&>;
                static_assert(is_loss<Loss, C>,
                              "polder: the closure must return the loss as a number; add a return");
                return is_loss<Loss, C>;
            }
        }
        return false;
    }

    void validate() const {
        perturb_.validate();
        distance_.validate();
        mix_.validate();
        base_.validate();
        for (Group const& group : groups_) group.validate();
    }

    // State, block pointers and settings for x.
    template <class C>
    auto& prepare(C& x) {
        using Memory = detail::MemoryOf<C>;
        validate();
        if (memory_.empty()) {
            try {
                fill(memory_.template emplace<Memory>(), x);
            } catch (...) {
                memory_.clear();
                throw;
            }
        }
        auto* memory = memory_.template get<Memory>();
        if (memory == nullptr) {
            throw std::invalid_argument(
                "polder: the scalar type of the parameters is not that of the first step");
        }
        if (memory->base.size() != base_.state_names().size()) {
            throw std::invalid_argument(
                "polder: the base optimizer's options now need other state than at the first step");
        }
        counts_are_ours_ = false;
        memory->engine.run_on(threads_, stream_);
        memory->take_back();
        memory->collect(x, memory->x, "the parameters");
        settle_groups(*memory);
        return *memory;
    }

    template <class M>
    void settle_groups(M& memory) {
        auto& layout = memory.engine.layout();
        if (!groups_assigned_) {
            memory.group.values = detail::assign_groups(groups_, memory.names);
            memory.engine.refresh(memory.group);
            groups_assigned_ = true;
        }
        auto& settings = memory.settings.values;
        settings.resize(1 + groups_.size());
        constexpr bool per_block = Features::per_block || MixNeeds::reuses;
        memory.engine.reserve(per_block ? memory.names.size() : settings.size());
        for (std::size_t k = 0; k < groups_.size(); ++k) {
            Group const& group = groups_[k];
            settings[k + 1] = {group.learning_rate, group.weight_decay, group.rho, group.adaptive,
                               group.frozen};
        }
        for (std::size_t block = 0; block < memory.names.size(); ++block) {
            layout.set_frozen(block, settings[memory.group.values[block]].frozen);
        }
        memory.base_steps.values = base_steps_;
        memory.method_steps.values.assign(1, method_steps_);
        if constexpr (!M::Engine::immediate) {
            memory.step_counts.values.assign({steps_, skipped_steps_});
            if (recorded(memory)) return;
            memory.engine.refresh(memory.step_counts);
        }
        memory.engine.refresh(memory.base_steps);
        memory.engine.refresh(memory.method_steps);
    }

    // Whether what is asked of the engine runs later, as often as the user's graph does.
    template <class M>
    static bool recorded([[maybe_unused]] M const& memory) {
        if constexpr (M::Engine::immediate) {
            return false;
        } else {
            return memory.engine.capturing();
        }
    }

    // All that depends on the number and the shapes of the blocks.
    template <class M, class C>
    void fill(M& memory, C& x) const {
        using T = scalar_t<C>;
        std::vector<std::size_t> sizes;
        for_each_named_block(
            x, [&](std::string const& name, T*, std::size_t size, BlockShape const& shape) {
                memory.self.values.push_back(static_cast<std::uint32_t>(sizes.size()));
                memory.names.push_back(name);
                memory.shapes.push_back(shape);
                sizes.push_back(size);
            });
        const std::size_t blocks = sizes.size();
        memory.engine = typename M::Engine(Layout(std::move(sizes)));
        memory.engine.refresh(memory.self);
        const std::size_t size = memory.engine.layout().size();
        T initial = 0;
        if constexpr (requires { base_.initial_state(); }) initial = T(base_.initial_state());
        memory.base.resize(base_.state_names().size());
        for (auto& state : memory.base) {
            state.assign(size, initial);
            if constexpr (mirrors) state.assign_next();
        }
        if constexpr (has_reference) {
            memory.reference.assign(size, 0);
            memory.reference.assign_next();
        }
        if constexpr (Features::fisher) memory.fisher.assign(size, 0);
        if constexpr (Features::template estimates<RunningFisher>) memory.fisher.assign_next();
        if constexpr (Features::masked) make_mask(memory);
        if constexpr (MixNeeds::reuses) {
            memory.kept.assign(size, 0);
            for (auto& numbers : memory.block_numbers) numbers.resize(blocks);
        }
        for (auto* pointers :
             {&memory.x, &memory.point, &memory.gradient, &memory.perturbed, &memory.second}) {
            pointers->values.resize(blocks);
        }
    }

    template <class M>
    void make_mask(M& memory) const {
        const std::size_t size = memory.engine.layout().size();
        memory.mask.assign(size, Features::template has_mask<FixedMask> ? 1 : 0);
        if constexpr (Features::template has_mask<DynamicMask>) {
            auto const& mask = mask_policy();
            memory.engine.choose_largest(mask.first_live(size), detail::RandomScore{mask},
                                         memory.mask.now());
        }
        if constexpr (!Features::template has_mask<FixedMask>) memory.mask.assign_next();
        if constexpr (Features::template has_mask<FisherMask>) memory.scores.resize(size);
    }

    // Counted from 0, the one before the first begin_epoch() being 0, too.
    std::uint64_t epoch() const noexcept { return epochs_ == 0 ? 0 : epochs_ - 1; }

    auto const& mask_policy() const { return detail::layer<detail::HasMask>(perturb_)->mask; }

    bool several_ascents() const {
        if constexpr (Features::several_ascents) {
            return detail::layer<detail::HasAscents>(perturb_)->ascents > 1;
        } else {
            return false;
        }
    }

    double factor(std::function<double(std::uint64_t)> const& schedule, char const* what) const {
        if (!schedule) return 1;
        const double value = schedule(steps_);
        if (!(std::isfinite(value) && value >= 0))
            detail::refuse(what, value, "a finite number >= 0");
        return value;
    }

    template <class M>
    auto ascent_of(M& memory, bool fresh_mask) const {
        return detail::Ascent<Perturb, Distance, M>(perturb_, distance_, memory, fresh_mask,
                                                    watched(detail::Fault::gradient));
    }
    template <class M>
    auto descent_of(M& memory, detail::Fault otherwise = detail::Fault::update_norm) const {
        return detail::Descent<BaseOpt, M>(base_, memory, clipping_, watched(otherwise));
    }

    // Of the next step, where passes read them; a captured step leaves that to before_replay().
    template <class M>
    void settle_schedules(M& memory) const {
        const double rho = perturbs ? factor(rho_schedule_, "the schedule of rho") : 1;
        const double rate = factor(learning_rate_schedule_, "the schedule of the learning rate");
        for (auto& settings : memory.settings.values) {
            settings.rho_factor = rho;
            settings.rate_factor = rate;
        }
        if (!recorded(memory)) memory.engine.refresh(memory.settings);
    }

    // Before the first pass of a step, and after the last one.
    template <class M>
    void begin_passes(M& memory) const {
        settle_schedules(memory);
        if constexpr (M::Engine::immediate) {
            *memory.numbers.at() = {};
        } else {
            memory.engine.begin(memory.numbers.step());
        }
    }
    // What the last pass of a step does on a device, in the place of what advance() does on the host.
    struct Ending {
        unsigned base_steps = 0;
        bool counts = false;
        bool method = false;
        bool mask = false;
    };
    template <class M>
    typename M::Engine::EndOfStep end_of_step(M& memory, Ending const& ending) const
        requires(!M::Engine::immediate) {
        typename M::Engine::EndOfStep end{};
        end.step = memory.numbers.step();
        end.settings = memory.settings.at();
        end.base_steps = memory.base_steps.at();
        end.groups = memory.settings.values.size();
        end.method_steps = memory.method_steps.at();
        end.step_counts = memory.step_counts.at();
        end.base = ending.base_steps;
        end.method = ending.method ? 1 : 0;
        end.counts = ending.counts;
        end.raises = non_finite_ == NonFinite::raise;
        const auto turn = [&](auto& array) { end.turns[end.turn_count++] = array.turn(); };
        if (ending.method) {
            if constexpr (has_reference) turn(memory.reference);
            if constexpr (Features::template estimates<RunningFisher>) turn(memory.fisher);
            if constexpr (mirrors) {
                for (auto& state : memory.base) turn(state);
            }
        }
        if (ending.mask) turn(memory.mask);
        return end;
    }
    template <class M>
    void expect_end([[maybe_unused]] M& memory, [[maybe_unused]] Ending const& ending) const {
        if constexpr (!M::Engine::immediate) memory.engine.end_with(end_of_step(memory, ending));
    }
    template <class M>
    void end_passes([[maybe_unused]] M& memory, [[maybe_unused]] Ending const& ending) const {
        if constexpr (!M::Engine::immediate) memory.engine.end_now(end_of_step(memory, ending));
    }

    // The report, with what the passes have found.
    template <class M>
    static auto reported(M& memory, Report report) {
        if constexpr (M::Engine::immediate) {
            detail::copy_to(report, *memory.numbers.at());
            return report;
        } else {
            return DeviceReport(report, report.skipped ? nullptr : memory.numbers.held());
        }
    }

    template <class M, class Form>
    auto advance(M& memory, Form& form) {
        Report report;
        begin_passes(memory);
        const bool active = leaves && interval_.active(steps_, batch_);
        const bool done =
            active ? advance_actively(memory, form, report) : advance_plainly(memory, form, report);
        if (done && !recorded(memory)) count_step(memory, active);
        return reported(memory, report);
    }

    template <class M>
    void count_step([[maybe_unused]] M& memory, bool active) {
        ++steps_;
        ++batch_;
        if (active) ++method_steps_;
        count_base_steps(active && mirrors ? 2 : 1);
        if constexpr (!M::Engine::immediate) {
            // The device has counted, too.
            const std::array<std::uint64_t, 2> counts{steps_, skipped_steps_};
            memory.step_counts.expect(counts);
            memory.base_steps.expect(base_steps_);
            memory.method_steps.expect(std::span(&method_steps_, 1));
        }
    }

    // From where a device counts them: there a step may have been skipped.
    void take_counts() {
        auto* device = memory_.on_device();
        if (device == nullptr || counts_are_ours_) return;
        counts_are_ours_ = true;  // may be written to, until the next step
        const detail::StepCounts counts = device->counts();
        steps_ = counts.steps;
        skipped_steps_ = counts.skipped;
        method_steps_ = counts.method;
        base_steps_ = counts.base;
    }

    void count_base_steps(std::uint64_t count) noexcept {
        base_steps_[0] += count;
        for (std::size_t k = 0; k < groups_.size(); ++k) {
            if (!groups_[k].frozen) base_steps_[k + 1] += count;
        }
    }

    // A step of the base optimizer; false where it was refused.
    template <class M, class Form>
    bool advance_plainly(M& memory, Form& form, Report& report) {
        if (!evaluate_first(form, report)) return false;
        [[maybe_unused]] auto descent = descent_of(memory, detail::Fault::gradient);
        if constexpr (MixNeeds::reuses) {
            // Without anything kept so far c is 0.
            if (!check(memory, form.gradient(), detail::Fault::gradient, report)) return false;
            expect_end(memory, {.base_steps = 1, .counts = true});
            descent.step_with_kept(mix_, form.gradient());
            return true;
        } else if constexpr (two_batches && !leaves) {
            expect_end(memory, {.base_steps = 1, .counts = true});
            return descend(memory, form, report);
        } else {
            double weight = 1;
            if constexpr (mirrors) weight = detail::layer<detail::Mirrors>(perturb_)->between;
            const detail::Constants<1> weights{{weight}};
            const auto gradient = form.gradient();
            const bool in_runs = checks_in_runs(memory);
            expect_end(memory, {.base_steps = 1, .counts = true});
            descent.clip(weights, gradient);
            if (!accept(memory, report)) return false;
            if (!in_runs && !clipping_.by_norm() &&
                !check(memory, gradient, detail::Fault::gradient, report)) {
                return false;
            }
            descent.step(weights, in_runs, {detail::Fault::gradient}, gradient);
            return accept(memory, report);
        }
    }

    // A step of the method; false where it was refused.
    template <class M, class Form>
    bool advance_actively(M& memory, Form& form, Report& report) {
        if constexpr (leaves) {
            const bool refresh = refresh_mask(memory, form, report);
            if (report.skipped || !estimate_fisher(memory, form, report) ||
                !evaluate_first(form, report)) {
                return false;
            }
            form.leave();
            if constexpr (perturbs) {
                auto ascent = ascent_of(memory, refresh);
                ascent.measure(form.from(), form.gradient());
                if (!accept(memory, report)) return false;
                ascent.template place<true>(form.from(), form.gradient(), form.point());
                const bool change = change_mask(memory, form);
                expect_end(memory, {.base_steps = mirrors ? 2u : 1u,
                                    .counts = true,
                                    .method = true,
                                    .mask = refresh || change});
                if (!ascend_on(memory, form, ascent, report) ||
                    !evaluate_at_point(form, report.perturbed_loss, report)) {
                    return false;
                }
                const bool done = mirrors ? mirror(memory, form, form.latest(), report)
                                          : descend(memory, form, report);
                if (!done) return false;
                if (refresh || change) memory.mask.succeed();
                if constexpr (Features::template has_mask<FisherMask>) {
                    mask_due_ = batch_ == 0 && epoch() % mask_policy().refresh_epochs == 0 ? 1 : 0;
                }
            } else {
                expect_end(memory, {.base_steps = 2, .counts = true, .method = true});
                if (!check(memory, form.gradient(), detail::Fault::gradient, report) ||
                    !mirror(memory, form, form.gradient(), report)) {
                    return false;
                }
            }
            if constexpr (has_reference) memory.reference.succeed();
            if constexpr (Features::template estimates<RunningFisher>) memory.fisher.succeed();
            return true;
        } else {
            return false;
        }
    }

    template <class Form>
    bool evaluate_first(Form& form, Report& report) {
        return take(form, form.first(watched(detail::Fault::loss)), report.loss,
                    detail::Fault::loss, report);
    }

    template <class Form>
    bool evaluate_at_point(Form& form, double& loss, Report& report,
                           detail::LossOf which = detail::LossOf::perturbed) {
        return take(form, form.perturbed(which, watched(detail::Fault::perturbed_loss)), loss,
                    detail::Fault::perturbed_loss, report);
    }

    // A loss that the closure has returned. One that stays on the device is not for the host to report.
    template <class Form>
    bool take(Form const&, double loss, double& to, detail::Fault what, Report& report) {
        ++report.evaluations;
        to = Form::loss_is_here ? loss : Report::none;
        return accept(std::isfinite(loss), what, report);
    }

    // The ascents after the first. The norm of eps is that of the whole way.
    template <class M, class Form>
    bool ascend_on([[maybe_unused]] M& memory, [[maybe_unused]] Form& form,
                   [[maybe_unused]] detail::Ascent<Perturb, Distance, M>& ascent,
                   [[maybe_unused]] Report& report) {
        if constexpr (Features::several_ascents) {
            const int ascents = detail::layer<detail::HasAscents>(perturb_)->ascents;
            for (int k = 1; k < ascents; ++k) {
                double loss = 0;
                if (!evaluate_at_point(form, loss, report)) return false;
                ascent.measure_again(form.latest(), form.point(),
                                     watched(detail::Fault::perturbed_gradient));
                if (!accept(memory, report)) return false;
                ascent.ascend_again(form.latest(), form.point());
            }
            if (ascents > 1) ascent.measure_way(form.from(), form.point());
        }
        return true;
    }

    // What perturbation() does; false where the step is refused, and eps as it was.
    template <class M, class Form, class C>
    bool measure_perturbation(M& memory, Form& form, C& eps, Report& report) {
        if (!estimate_fisher(memory, form, report) || !evaluate_first(form, report)) return false;
        auto ascent = ascent_of(memory, false);
        ascent.measure(form.from(), form.gradient());
        if (!accept(memory, report)) return false;
        const auto write_eps = [&] {
            memory.collect(eps, memory.point, "eps");
            memory.engine.clear_frozen(form.point());
        };
        if (!several_ascents()) {
            write_eps();
            ascent.template place<false>(form.from(), form.gradient(), form.point());
            return true;
        }
        form.leave();
        ascent.template place<true>(form.from(), form.gradient(), form.point());
        if (!ascend_on(memory, form, ascent, report)) return false;
        auto reached = memory.point;
        memory.engine.refresh(reached);
        write_eps();
        memory.engine.map(detail::Difference{}, form.from(), Blocked<scalar_t<C>>{reached.at()},
                          form.point());
        return true;
    }

    // Mean over single samples of their squared gradients, for a ball that wants it.
    template <class M, class Form>
    bool estimate_fisher(M& memory, Form& form, Report& report) {
        if constexpr (Features::template estimates<SampleFisher>) {
            const int samples = detail::ball_of(perturb_).estimate.samples;
            return add_up_samples(memory, form, memory.fisher.now(), samples, 1.0 / samples,
                                  report);
        } else {
            return true;
        }
    }

    // sum = weight times the sum over samples of their squared gradients at x.
    template <class M, class Form, class Total>
    bool add_up_samples(M& memory, Form& form, Total sum, int samples, double weight,
                        Report& report) {
        using T = typename M::Scalar;
        for (int k = 0; k < samples; ++k) {
            const double loss = form.sample(k, watched(detail::Fault::sample_loss));
            ++report.evaluations;
            if (!accept(std::isfinite(loss), detail::Fault::sample_loss, report) ||
                !check(memory, form.gradient(), detail::Fault::sample_gradient, report)) {
                return false;
            }
            memory.engine.map(detail::AddSquared<T>{k == 0, T(weight)}, form.gradient(), sum);
        }
        return true;
    }

    // SSAM-F: after the first batch of an epoch in its turn, which is before the step that follows it. True
    // where the mask of this step is a new one.
    template <class M, class Form>
    bool refresh_mask([[maybe_unused]] M& memory, [[maybe_unused]] Form& form,
                      [[maybe_unused]] Report& report) {
        if constexpr (Features::template has_mask<FisherMask>) {
            auto const& policy = mask_policy();
            if (mask_due_ == 0) return false;
            const Flat<typename M::Scalar> scores{memory.scores.data()};
            if (!add_up_samples(memory, form, scores, policy.samples, 1, report)) return false;
            detail::choose_mask(memory.engine, policy.live(memory.engine.layout().size()),
                                memory.mask.next(), detail::OwnScore{}, scores);
            return true;
        } else {
            return false;
        }
    }

    // SSAM-D: at the first batch of an epoch in its turn, once the point is placed. True where there is a new
    // mask for the next step.
    template <class M, class Form>
    bool change_mask([[maybe_unused]] M& memory, [[maybe_unused]] Form& form) {
        if constexpr (Features::template has_mask<DynamicMask>) {
            auto const& policy = mask_policy();
            if (batch_ != 0 || epoch() % policy.refresh_epochs != 0) return false;
            detail::change_mask(memory.engine, policy, epoch(), memory.mask.now(),
                                memory.mask.next(), form.point(), form.gradient());
            return true;
        } else {
            return false;
        }
    }

    // One pass, in which each run of coordinates is checked as it is updated.
    template <class M>
    bool checks_in_runs(M const& memory) const noexcept {
        return non_finite_ == NonFinite::raise && !clipping_.by_norm() &&
               memory.engine.template checks_in_runs<typename M::Scalar>();
    }

    // What a pass is told to look for.
    detail::Fault watched(detail::Fault fault) const noexcept {
        return non_finite_ == NonFinite::propagate ? detail::Fault::none : fault;
    }

    // False where the step ends here.
    bool accept(bool finite, detail::Fault what, Report& report) {
        if (finite || non_finite_ == NonFinite::propagate) return true;
        if (non_finite_ == NonFinite::raise) {
            throw NonFiniteError("polder: step " + std::to_string(steps_ + 1) + ": the " +
                                 detail::to_text(what) + " is not finite");
        }
        ++skipped_steps_;
        report.skipped = true;
        return false;
    }
    // The same of what the passes have found. A device ends a step by itself.
    template <class M>
    bool accept([[maybe_unused]] M& memory, [[maybe_unused]] Report& report) {
        if constexpr (M::Engine::immediate) {
            const detail::Fault fault = memory.numbers.at()->fault;
            return accept(fault == detail::Fault::none, fault, report);
        } else {
            return true;
        }
    }

    // Pass 'check'.
    template <class M, class Gradient>
    bool check(M& memory, Gradient gradient, detail::Fault otherwise, Report& report) {
        if (non_finite_ == NonFinite::propagate) return true;
        memory.engine.all_finite_then(detail::Looked{memory.numbers.at(), otherwise}, gradient);
        return accept(memory, report);
    }

    // From the gradients to x: passes 'check', 'mix' and 'base'.
    template <class M, class Form>
    bool descend(M& memory, Form& form, Report& report) {
        form.put_back();
        if constexpr (two_batches) {
            if (!take(form, form.second(watched(detail::Fault::second_loss)), report.second_loss,
                      detail::Fault::second_loss, report)) {
                return false;
            }
        }
        const auto s = form.perturbed_gradient();
        constexpr auto what =
            perturbs ? detail::Fault::perturbed_gradient : detail::Fault::gradient;
        // A reduction over s sees by itself what is not finite.
        const bool in_runs = !MixNeeds::products && !MixNeeds::decoupled && !MixNeeds::reuses &&
                             checks_in_runs(memory);
        if constexpr (MixNeeds::products) {
            memory.engine.reduce_then(
                detail::ProductSums{memory.numbers.at(), watched(what)},
                memory.engine.everywhere(detail::ProductTerms<typename M::Scalar>{}), form.clean(),
                s);
            if (!accept(memory, report)) return false;
        } else {
            if (!in_runs && !check(memory, s, what, report)) return false;
        }
        if constexpr (two_batches) {
            if (!in_runs &&
                !check(memory, form.second_gradient(), detail::Fault::second_gradient, report)) {
                return false;
            }
        }
        auto descent = descent_of(memory);
        const auto finish = [&](auto const& weights, auto... gradients) {
            descent.clip(weights, gradients...);
            if (!accept(memory, report)) return false;
            if constexpr (MixNeeds::decoupled) {
                descent.step_decoupled(mix_.decoupled(), gradients...);
            } else if constexpr (MixNeeds::reuses) {
                descent.step_and_keep(mix_, gradients..., form.clean());
            } else {
                std::array<detail::Fault, sizeof...(gradients)> faults{what};
                if constexpr (MixNeeds::clean) faults[1] = detail::Fault::gradient;
                if constexpr (two_batches) faults.back() = detail::Fault::second_gradient;
                descent.step(weights, in_runs, faults, gradients...);
            }
            return accept(memory, report);
        };
        if constexpr (MixNeeds::reuses) {
            return finish(detail::Constants<1>{{1}}, s);
        } else if constexpr (MixNeeds::gradients == 1) {
            return finish(detail::Constants<1>{{mix_.weights({}).s}}, s);
        } else {
            const detail::Mixture<Mix> weights{mix_};
            if constexpr (MixNeeds::clean && two_batches) {
                return finish(weights, s, form.clean(), form.second_gradient());
            } else if constexpr (MixNeeds::clean) {
                return finish(weights, s, form.clean());
            } else {
                return finish(weights, s, form.second_gradient());
            }
        }
    }

    // x' = BaseOpt(x, alpha1 s), then x = BaseOpt(x', -alpha2 grad L(x')).
    template <class M, class Form, class Gradient>
    bool mirror([[maybe_unused]] M& memory, [[maybe_unused]] Form& form,
                [[maybe_unused]] Gradient s, [[maybe_unused]] Report& report) {
        if constexpr (mirrors) {
            auto const& policy = *detail::layer<detail::Mirrors>(perturb_);
            if (perturbs && !check(memory, s, detail::Fault::perturbed_gradient, report)) {
                return false;
            }
            auto descent = descent_of(memory);
            descent.mirror_down(policy.alpha1, form.from(), form.point(), s);
            if (!evaluate_at_point(form, report.mirrored_loss, report, detail::LossOf::mirrored)) {
                return false;
            }
            const auto gradient = form.latest();
            if (!check(memory, gradient, detail::Fault::mirrored_gradient, report)) return false;
            descent.clip(detail::Constants<1>{{-policy.alpha2}}, gradient);
            if (!accept(memory, report)) return false;
            descent.mirror_up(-policy.alpha2, form.mirrored(), gradient);
            for (auto& state : memory.base) state.succeed();
        }
        return true;
    }

    Perturb perturb_;
    Distance distance_;
    Mix mix_;
    BaseOpt base_;
    detail::AnyMemory memory_;
    detail::Twins twins_;

    std::uint64_t steps_ = 0;
    std::uint64_t skipped_steps_ = 0;
    std::uint64_t method_steps_ = 0;            // those that were not the base optimizer's alone
    std::uint64_t epochs_ = 0;                  // begun
    std::uint64_t batch_ = 0;                   // of the epoch: the steps since it began
    std::uint64_t mask_due_ = 0;                // 1: the next step looks at its mask again
    std::vector<std::uint64_t> base_steps_{0};  // of the base optimizer: outside groups, in each

    std::vector<Group> groups_;
    bool groups_assigned_ = false;
    Interval interval_;
    std::function<double(std::uint64_t)> learning_rate_schedule_, rho_schedule_;
    Clipping clipping_;
    int threads_ = default_threads();
    void* stream_ = nullptr;
    bool counts_are_ours_ = false;  // and not those of a device
    NonFinite non_finite_ = NonFinite::raise;
};

}  // namespace polder
