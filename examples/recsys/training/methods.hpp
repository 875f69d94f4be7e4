/// How a line of the tables of methods becomes an optimizer. Only for the files that hold these tables.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/closure/clipping.hpp>
#include <polder/groups/group.hpp>
#include <polder/mix/two_batches.hpp>
#include <polder/schedule/interval.hpp>
#include <polder/sharpness.hpp>
#include <polder/state/state.hpp>

#include "recsys/training/any_base.hpp"
#include "recsys/training/device_base.hpp"
#include "recsys/training/optimizer.hpp"

// The tables are compiled for one System at a time. POLDER_METHODS_SYSTEM names that of a device, whose header comes
// before this one.
#if !defined(POLDER_METHODS_SYSTEM)
#define POLDER_METHODS_SYSTEM HostMemory
#define POLDER_METHODS_NAMESPACE on_host
#else
#define POLDER_METHODS_NAMESPACE on_device
#endif

namespace polder::recsys::detail {

// A name in any spelling, as the tables have it.
std::string canonical(std::string_view name);

// Throws std::invalid_argument: name = 'text', expected ...
[[noreturn]] void refuse_value(std::string_view name, std::string_view text,
                               std::string const& expected);

/// Reads options by name and notes which there are.
class OptionReader {
public:
    using Part = OptimizerValue::Part;

    explicit OptionReader(OptimizerOptions const& options);

    /// The value of an option: what was set, else the default.
    double number(std::string_view name, double by_default);
    std::uint64_t whole(std::string_view name, std::uint64_t by_default);
    bool flag(std::string_view name, bool by_default);
    std::string text(std::string_view name, std::string_view by_default);
    /// The place of the value among `choices`, the first of which is the default.
    std::size_t choice(std::string_view name, std::vector<std::string> const& choices);

    /// Options that are read from now on belong there.
    void begin(Part part) { part_ = part; }

    /// Throws for an option that was set and that nobody asked for.
    void require_all_used() const;

    std::vector<OptimizerValue> const& used() const { return used_; }

private:
    std::string const* find(std::string_view name) const;
    void note(std::string_view name, AnyValue value);

    OptimizerOptions options_;
    std::vector<OptimizerValue> used_;
    Part part_ = Part::base;
};

}  // namespace polder::recsys::detail

namespace polder::recsys::detail::POLDER_METHODS_NAMESPACE {

using AnyOptimizer = AnyOptimizerOn<POLDER_METHODS_SYSTEM>;
using Arena = AnyOptimizer::Arena;
using AnyBase =
    std::conditional_t<is_host<POLDER_METHODS_SYSTEM>, polder::recsys::AnyBase, DeviceBase>;

/// What all methods have, besides their own options.
struct CommonOptions {
    Interval interval;
    Clipping clipping;
    std::function<double(std::uint64_t)> learning_rate_schedule, rho_schedule;
    std::vector<Group> groups;
};

template <class Optimizer>
class Composed final : public AnyOptimizer {
public:
    Composed(Optimizer optimizer, CommonOptions const& common)
        : optimizer_(std::move(optimizer)), groups_(common.groups) {
        optimizer_.set_interval(common.interval);
        optimizer_.set_clipping(common.clipping);
        optimizer_.set_learning_rate_schedule(common.learning_rate_schedule);
        optimizer_.set_rho_schedule(common.rho_schedule);
        optimizer_.set_groups(groups_);
    }

    ReportOf<POLDER_METHODS_SYSTEM> step(Arena& parameters,
                                         AnyOptimizer::Closure const& closure) override {
        return optimizer_.step(parameters, closure);
    }
    void begin_epoch() override { optimizer_.begin_epoch(); }
    void bind(Arena& parameters) override { optimizer_.bind(parameters); }
    void add_state(SafetensorsWriter& writer, Arena& parameters) override {
        polder::add_state(writer, optimizer_, parameters);
    }
    void load_state(SafetensorsFile& file, Arena& parameters) override {
        optimizer_ = read_state(file, optimizer_, parameters);
    }
    void freeze(std::vector<std::string> const& names) override {
        if (names.empty()) return;
        groups_.push_back({.name = "frozen", .blocks = names, .frozen = true});
        optimizer_.set_groups(groups_);
    }
    void set_learning_rate(double rate) override { optimizer_.base().learning_rate = rate; }
    void set_threads(int threads) override { optimizer_.set_threads(threads); }
    [[nodiscard]] bool perturbs() const override { return Optimizer::has_perturbation; }

private:
    Optimizer optimizer_;
    std::vector<Group> groups_;
};

/// Makes the optimizer of one set of options.
class Composer {
public:
    Composer(OptionReader& options, AnyBase base, bool plus)
        : options(options), base_(std::move(base)), plus_(plus) {}

    OptionReader& options;

    double number(std::string_view name, double by_default) {
        return options.number(name, by_default);
    }

    /// For a ball that scales coordinates: "exempt" names blocks that it leaves alone.
    void take_exempt();

    /// The method of these policies; with + its mix is that of two batches. `interval`: what is active by
    /// default.
    template <class Perturb, class Distance = NoDistance, class Mix = NoMix>
    std::unique_ptr<AnyOptimizer> operator()(Perturb perturb, Distance distance = {}, Mix mix = {},
                                             Interval const* interval = nullptr) {
        // The mixed loss is not defined for a mirror, nor where the mix is more than a sum of gradients.
        constexpr bool mixes = !mirrors<Perturb> && !requires { mix.decoupled(); }
        &&!requires { mix.reuse(1.0, 1.0); };
        if constexpr (mixes) {
            if (plus_) {
                TwoBatchesOf<Mix> both{};
                both.kappa = number("kappa", both.kappa);
                both.first = std::move(mix);
                return erase(Sharpness{std::move(perturb), std::move(distance), both, base_},
                             mirrors<Perturb>, interval);
            }
        }
        return erase(Sharpness{std::move(perturb), std::move(distance), std::move(mix), base_},
                     mirrors<Perturb>, interval);
    }

private:
    template <class Perturb>
    static constexpr bool mirrors = requires(Perturb const& p) {
        p.alpha2;
    };

    template <class Optimizer>
    std::unique_ptr<AnyOptimizer> erase(Optimizer optimizer, bool is_mirror,
                                        Interval const* interval) {
        auto const common = common_options(Optimizer::has_perturbation, is_mirror, interval);
        options.require_all_used();
        return std::make_unique<Composed<Optimizer>>(std::move(optimizer), common);
    }

    CommonOptions common_options(bool perturbs, bool mirrors, Interval const* interval);
    std::function<double(std::uint64_t)> schedule(std::string const& of);

    AnyBase base_;
    bool plus_;
    std::vector<Group> groups_;
};

/// A line of the tables.
struct Method {
    std::string_view name;
    bool has_plus;
    std::string_view equation;  ///< eps and u; g = grad L_B(x), s = grad L_B(x + eps)
    std::string_view source;
    std::unique_ptr<AnyOptimizer> (*make)(Composer&);
};

/// The tables, one in each of methods_*.cpp.
std::span<Method const> methods_of_balls();
std::span<Method const> methods_of_metrics();
std::span<Method const> methods_of_distances();
std::span<Method const> methods_of_mixes();

/// All of them.
std::vector<Method> all_methods();

/// What the list of base optimizers says of one.
struct BaseLine {
    std::string_view name, equation, source;
    AnyBase (*make)(OptionReader&);
};
std::span<BaseLine const> base_lines();

/// The optimizer of these options. Throws as make_optimizer.
std::unique_ptr<AnyOptimizer> make(OptimizerOptions const& options, OptionReader& reader);

}  // namespace polder::recsys::detail::POLDER_METHODS_NAMESPACE
