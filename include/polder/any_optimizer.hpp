/// Any optimizer behind one interface, and optimizers by name.
///
/// Not in polder.hpp: what includes it compiles every method.
#pragma once

#if __cplusplus <= 201703L && (!defined(_MSVC_LANG) || _MSVC_LANG <= 201703L)
#error "polder: C++20 is needed; compile with -std=c++20"
#else

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <polder/blocks/container.hpp>
#include <polder/blocks/memory_space.hpp>
#include <polder/closure/concurrent.hpp>
#include <polder/closure/device_report.hpp>
#include <polder/closure/pass.hpp>
#include <polder/closure/report.hpp>
#include <polder/closure/requirements.hpp>
#include <polder/error.hpp>
#include <polder/optimizer.hpp>
#include <polder/registry/any_base.hpp>
#include <polder/registry/base_optimizers.hpp>
#include <polder/registry/methods.hpp>
#include <polder/registry/options.hpp>
#include <polder/settings.hpp>

namespace polder {

/// Whether an AnyOptimizer of parameters C makes steps in place alone. Specialise it as true before it is first used, and half as
/// much is compiled; step() and perturbation() then throw std::logic_error.
template <class C>
inline constexpr bool steps_in_place_alone = false;

/// Holds any optimizer of parameters C: the type does not say which method and which base optimizer it is. A copy has a state
/// of its own. One that has been moved from can be assigned to, and refuses the rest.
template <class C>
class POLDER_OPENMP_MARK AnyOptimizer {
public:
    /// What the closure returns: a number; on a device also one that lies there, see DeviceLoss.
    using Loss =
        std::conditional_t<std::is_same_v<memory_space_t<C>, HostMemory>, double, DeviceLoss>;
    using StepReport = typename detail::ReportFor<memory_space_t<C>, scalar_t<C>>::type;
    /// Loss and gradient at given parameters, scalar(C const& at, C& gradient, Pass); see Optimizer::step. A closure that has a name
    /// is kept by reference and has to live as long. It is concurrent if the closure that it holds is (polder::concurrent); not
    /// on a device.
    class Closure {
    public:
        template <class F>
        requires(!std::same_as<std::remove_cvref_t<F>, Closure> &&
                 std::invocable<F&, C const&, C&, Pass>)
            Closure(F&& closure)  // NOLINT: conversion is meant
            : at_once_(says_at_once(closure)),
              call_(detail::KeptClosure<F>(std::forward<F>(closure))) {
            detail::check_gradients<C, F>();
        }
        Loss operator()(C const& at, C& gradient, Pass pass) const {
            return call_(at, gradient, pass);
        }
        bool at_once() const requires std::same_as<memory_space_t<C>, HostMemory> {
            return at_once_;
        }

    private:
        template <class F>
        static bool says_at_once([[maybe_unused]] F& closure) {
            if constexpr (detail::concurrent_closure<F>) {
                return closure.at_once();
            } else {
                return false;
            }
        }
        bool at_once_;
        std::function<Loss(C const&, C&, Pass)> call_;
    };
    /// Loss and gradient of a model at the parameters that it holds; see Optimizer::step_in_place.
    using ModelClosure = std::function<Loss(Pass)>;
    /// A value of the state.
    using StateValue =
        std::variant<std::span<float>, std::span<double>, std::span<std::uint8_t>,
                     std::span<std::uint64_t>, std::reference_wrapper<std::uint64_t>>;

    template <class Method, class BaseOpt>
    AnyOptimizer(Optimizer<Method, BaseOpt> optimizer)  // NOLINT: conversion is meant
        : held_(std::make_unique<Of<Method, BaseOpt>>(std::move(optimizer))) {}
    AnyOptimizer(AnyOptimizer const& other) : held_(other.held_ ? other.held_->clone() : nullptr) {}
    AnyOptimizer& operator=(AnyOptimizer const& other) { return *this = AnyOptimizer(other); }
    AnyOptimizer(AnyOptimizer&&) noexcept = default;
    AnyOptimizer& operator=(AnyOptimizer&&) noexcept = default;
    ~AnyOptimizer() = default;

    StepReport step(C& x, Closure const& closure) { return held().step(x, closure); }
    template <class F>
    requires std::is_invocable_r_v<Loss, F&, Pass> StepReport step_in_place(C& x, C& gradient,
                                                                            F&& closure) {
        return held().step_in_place(x, gradient, ModelClosure(std::ref(closure)));
    }
    /// Whether there is an eps. Without one perturbation() throws std::logic_error.
    bool has_perturbation() const { return held().has_perturbation(); }
    StepReport perturbation(C& x, Closure const& closure, C& eps) {
        return held().perturbation(x, closure, eps);
    }
    /// Whether there is a mask. Without one set_mask() throws std::logic_error.
    bool has_mask() const { return held().has_mask(); }
    void set_mask(C& x, std::span<std::uint8_t const> mask) { held().set_mask(x, mask); }
    /// The batches that a step asks for.
    int batches() const { return held().batches(); }

    /// Groups, intervals, schedules, clipping, threads, epochs: see Settings.
    Settings& settings() { return held().settings(); }
    Settings const& settings() const { return held().settings(); }
    void begin_epoch() { settings().begin_epoch(); }
    void set_threads(int threads) { settings().set_threads(threads); }
    std::uint64_t steps() const { return settings().steps(); }
    std::uint64_t skipped_steps() const { return settings().skipped_steps(); }
    /// The base optimizer's.
    double learning_rate() const { return held().learning_rate(); }
    void set_learning_rate(double rate) { held().set_learning_rate(rate); }

    void bind(C& x) { held().bind(x); }
    std::string method() const { return held().method(); }
    template <class F>
    void visit_state(F&& f) {
        held().visit_state([&](std::string_view name, StateValue value) {
            std::visit(
                [&]<class V>(V of) {
                    if constexpr (std::is_same_v<V, std::reference_wrapper<std::uint64_t>>) {
                        f(name, of.get());
                    } else {
                        f(name, of);
                    }
                },
                value);
        });
    }

private:
    struct Held {
        virtual ~Held() = default;
        virtual std::unique_ptr<Held> clone() const = 0;
        virtual StepReport step(C&, Closure const&) = 0;
        virtual StepReport step_in_place(C&, C&, ModelClosure const&) = 0;
        virtual bool has_perturbation() const = 0;
        virtual StepReport perturbation(C&, Closure const&, C&) = 0;
        virtual bool has_mask() const = 0;
        virtual void set_mask(C&, std::span<std::uint8_t const>) = 0;
        virtual int batches() const = 0;
        virtual Settings& settings() = 0;
        virtual double learning_rate() const = 0;
        virtual void set_learning_rate(double) = 0;
        virtual void bind(C&) = 0;
        virtual std::string method() const = 0;
        virtual void visit_state(std::function<void(std::string_view, StateValue)> const&) = 0;
    };
    // What visit_state of any optimizer is given, so that it is compiled once.
    struct StateTo {
        std::function<void(std::string_view, StateValue)> const& f;

        void operator()(std::string_view name, std::uint64_t& count) const {
            f(name, std::ref(count));
        }
        template <class V>
        void operator()(std::string_view name, std::span<V> values) const {
            f(name, values);
        }
    };
    template <class Method, class BaseOpt>
    struct Of final : Held {
        explicit Of(Optimizer<Method, BaseOpt> o) : optimizer(std::move(o)) {}
        std::unique_ptr<Held> clone() const override { return std::make_unique<Of>(optimizer); }
        StepReport step([[maybe_unused]] C& x, [[maybe_unused]] Closure const& closure) override {
            if constexpr (steps_in_place_alone<C>) {
                POLDER_THROW std::logic_error("polder: this optimizer makes steps in place alone");
            } else {
                return optimizer.step(x, closure);
            }
        }
        StepReport step_in_place(C& x, C& gradient, ModelClosure const& closure) override {
            return optimizer.step_in_place(x, gradient, closure);
        }
        static constexpr bool has_eps =
            Optimizer<Method, BaseOpt>::has_perturbation && !steps_in_place_alone<C>;
        bool has_perturbation() const override { return has_eps; }
        StepReport perturbation([[maybe_unused]] C& x, [[maybe_unused]] Closure const& closure,
                                [[maybe_unused]] C& eps) override {
            if constexpr (has_eps) {
                return optimizer.perturbation(x, closure, eps);
            } else {
                POLDER_THROW std::logic_error("polder: this method has no perturbation");
            }
        }
        bool has_mask() const override { return optimizer.has_mask; }
        void set_mask([[maybe_unused]] C& x,
                      [[maybe_unused]] std::span<std::uint8_t const> mask) override {
            if constexpr (Optimizer<Method, BaseOpt>::has_mask) {
                optimizer.set_mask(x, mask);
            } else {
                POLDER_THROW std::logic_error("polder: this method has no mask");
            }
        }
        int batches() const override { return Optimizer<Method, BaseOpt>::batches; }
        Settings& settings() override { return optimizer; }
        double learning_rate() const override { return optimizer.learning_rate(); }
        void set_learning_rate(double rate) override { optimizer.set_learning_rate(rate); }
        void bind(C& x) override { optimizer.bind(x); }
        std::string method() const override { return optimizer.method(); }
        void visit_state(std::function<void(std::string_view, StateValue)> const& f) override {
            optimizer.visit_state(StateTo{f});
        }
        Optimizer<Method, BaseOpt> optimizer;
    };
    Held& held() const {
        if (held_ == nullptr) {
            POLDER_THROW std::logic_error(
                "polder: this optimizer has been moved from; assign one to it first");
        }
        return *held_;
    }
    std::unique_ptr<Held> held_;
};

namespace registry {

/// A method by name, and how its optimizer is made.
template <class C>
struct MethodLine {
    MethodEntry entry;
    bool has_plus;
    AnyOptimizer<C> (*make)(OptionReader& options, AnyBase const& base, bool plus);
};

namespace detail {

template <class C, class Make>
AnyOptimizer<C> make_of(OptionReader& options, AnyBase const& base, [[maybe_unused]] bool plus) {
    std::optional<AnyOptimizer<C>> result;
    auto const use = [&]<class Method>(Method const& method, Surroundings const& around = {}) {
        auto const finish = [&](auto optimizer) {
            if (around.interval) optimizer.set_interval(*around.interval);
            Group exempt{.name = "exempt", .adaptive = false};
            for (std::size_t begin = 0; begin < around.exempt.size();) {
                auto const end = std::min(around.exempt.find(';', begin), around.exempt.size());
                if (end > begin) exempt.blocks.push_back(around.exempt.substr(begin, end - begin));
                begin = end + 1;
            }
            if (!exempt.blocks.empty()) optimizer.set_groups({exempt});
            result.emplace(std::move(optimizer));
        };
        if constexpr (has_plus<Method>) {
            if (plus) {
                return finish(
                    Optimizer(registry::plus(method, options.number("kappa", 0.6)), base));
            }
        }
        finish(Optimizer(method, base));
    };
    Make{}(options, use);
    return *std::move(result);
}

template <class C>
struct Lines {
    std::vector<MethodLine<C>>& lines;
    template <class Make>
    void operator()(MethodEntry const& entry, Make const& make) const {
        bool with_plus = false;
        OptionReader defaults{Options{}};
        make(defaults, [&]<class Method>(Method const&, Surroundings const& = {}) {
            with_plus = has_plus<Method>;
        });
        lines.push_back({entry, with_plus, &make_of<C, Make>});
    }
};

}  // namespace detail

/// The lines of some of the methods, so that programs can compile them in parts. for_each: for_each_method, for_each_ball, ...
template <class C, class ForEach>
std::vector<MethodLine<C>> method_lines(ForEach const& for_each) {
    std::vector<MethodLine<C>> lines;
    for_each(detail::Lines<C>{lines});
    return lines;
}

/// Every name of a method, those with + after those without.
template <class C>
std::vector<std::string> method_names(std::vector<MethodLine<C>> const& lines) {
    std::vector<std::string> names;
    for (auto const& line : lines) names.emplace_back(line.entry.name);
    for (auto const& line : lines) {
        if (line.has_plus) names.push_back(std::string(line.entry.name) + "+");
    }
    return names;
}
inline std::vector<std::string> base_names() {
    std::vector<std::string> names;
    for_each_base([&](BaseEntry const& entry, auto const&) { names.emplace_back(entry.name); });
    return names;
}

/// The base optimizer of a name and its options.
inline AnyBase make_base(std::string_view name, OptionReader& options) {
    std::optional<AnyBase> base;
    auto const wanted = canonical(name);
    for_each_base([&](BaseEntry const& entry, auto const& make) {
        if (entry.name == wanted) base.emplace(make(options));
    });
    if (!base) refuse_name("base optimizer", name, base_names());
    return *std::move(base);
}

/// The optimizer of a method's name ("sam", "bsam+") over a base optimizer's, with options for both. Throws
/// std::invalid_argument with the nearest and all known names for an unknown one, and says which value was expected.
template <class C>
AnyOptimizer<C> make_optimizer(std::vector<MethodLine<C>> const& lines, std::string_view method,
                               std::string_view base_name, OptionReader& options) {
    auto wanted = canonical(method);
    bool const plus = wanted.ends_with('+');
    if (plus) wanted.pop_back();
    for (auto const& line : lines) {
        if (line.entry.name != wanted || (plus && !line.has_plus)) continue;
        options.begin(OptionValue::Part::base);
        auto const base = make_base(base_name, options);
        options.begin(OptionValue::Part::method);
        return line.make(options, base, plus);
    }
    refuse_name("optimizer", method, method_names(lines));
}

/// As above, with the options of each, and throws also for an option that neither has.
template <class C>
AnyOptimizer<C> make_optimizer(std::vector<MethodLine<C>> const& lines, std::string_view method,
                               NamedOptions const& method_options, std::string_view base,
                               NamedOptions const& base_options = {}) {
    auto all = base_options.options();
    all.insert(all.end(), method_options.options().begin(), method_options.options().end());
    OptionReader options(std::move(all));
    auto optimizer = make_optimizer(lines, method, base, options);
    options.require_all_used("optimizer '" + std::string(method) + "' on '" + std::string(base) +
                             "'");
    return optimizer;
}

}  // namespace registry

/// The optimizer of a method's name over a base optimizer's:
///
///     auto optimizer = polder::make_optimizer<Container>("bsam+", {{"rho", 0.1}, {"distance", "cosine"}}, "adam",
///                                                        {{"learning_rate", 1e-3}});
///
/// Throws std::invalid_argument for an unknown name, with the nearest and all known ones; for an option that the method or
/// the base optimizer does not have; for a value that is no number, or out of range.
///
/// Every method is compiled for the container, which takes minutes: call it in one file of a program. With
/// registry::method_lines and registry::make_optimizer a program has a part of them.
template <class C>
AnyOptimizer<C>
make_optimizer(std::string_view method, registry::NamedOptions const& method_options = {},
               std::string_view base = "adam", registry::NamedOptions const& base_options = {}) {
    auto const lines =
        registry::method_lines<C>([](auto const& f) { registry::for_each_method(f); });
    return registry::make_optimizer(lines, method, method_options, base, base_options);
}

}  // namespace polder

#endif
