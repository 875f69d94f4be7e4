/// Optimizers chosen at run time, by the names that the command line uses.
#pragma once

#include <algorithm>
#include <concepts>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <polder/any_optimizer.hpp>
#include <polder/registry/options.hpp>

#include "recsys/models/hyper_parameters.hpp"
#include "recsys/place.hpp"

namespace polder::recsys {

/// A method over a base optimizer, for parameters that lie on a System.
template <class System>
using AnyOptimizerOn = polder::AnyOptimizer<ArenaOf<float, System>>;
using AnyOptimizer = AnyOptimizerOn<HostMemory>;
using Closure = AnyOptimizer::Closure;

/// Learning rates of parameters by name, in place of the optimizer's.
using TableRates = std::vector<std::pair<std::string, double>>;

/// Before the first step: parameters `frozen` are never perturbed or changed, nor part of any norm, and those in `rates` have
/// learning rates of their own. Throws std::invalid_argument for a name of the latter that is frozen or twice there.
template <class Optimizer>
void group_parameters(Optimizer& optimizer, std::vector<std::string> const& frozen,
                      TableRates const& rates) {
    auto groups = optimizer.settings().groups();
    if (!frozen.empty()) groups.push_back({.name = "frozen", .blocks = frozen, .frozen = true});
    for (auto const& [name, rate] : rates) {
        if (std::find(frozen.begin(), frozen.end(), name) != frozen.end())
            throw std::invalid_argument("rates: '" + name + "' is not trained");
        groups.push_back({.name = "rate of " + name, .blocks = {name}, .learning_rate = rate});
    }
    optimizer.settings().set_groups(std::move(groups));
}

/// From now on all learning rates are `factor` times what they were at first: `rate`, and those of tables.
template <class Optimizer>
void scale_learning_rates(Optimizer& optimizer, double rate, TableRates const& rates,
                          double factor) {
    optimizer.set_learning_rate(rate * factor);
    for (auto const& [name, of_table] : rates)
        optimizer.settings().group("rate of " + name).learning_rate = of_table * factor;
}

/// Which optimizer: a method on a base optimizer. Options that are not in `values` have the library's
/// defaults. Names may have - for _ and capital letters.
struct OptimizerOptions {
    std::string method = "none";
    std::string base = "adam";
    Settings
        values{};  ///< for example {"rho", "0.1"}, {"distance", "cosine"}, {"nesterov", "true"}
    TableRates rates{};  ///< of parameters with learning rates of their own
};

/// "user_embedding=0.01,item_embedding=1e-4" as rates. Throws std::invalid_argument for a part without '=', a rate that is
/// not a finite number >= 0, and a name that is there twice.
TableRates parse_rates(std::string const& text);
/// The other way round.
std::string to_text(TableRates const& rates);

/// "sam", "bsam+:rho=0.1:distance=cosine" or "sam:base=sgd:momentum=0.9" as options. Throws
/// std::invalid_argument for a part without '='.
OptimizerOptions parse_optimizer(std::string_view text, OptimizerOptions const& defaults = {});

/// An option with its value.
using OptimizerValue = registry::OptionValue;
template <std::same_as<decltype(OptimizerValue::value)> Value>
std::string to_text(Value const& value) {
    return std::visit([](auto const& each) { return to_text(AnyValue(each)); }, value);
}

/// Every option of this method on this base optimizer with its value. Throws std::invalid_argument with the
/// nearest and all known names for an unknown method, base optimizer, option or choice, and says which value
/// was expected.
std::vector<OptimizerValue> optimizer_values(OptimizerOptions const& options);

/// The optimizer of these options, which knows nothing of rates yet. Throws as `optimizer_values`.
std::unique_ptr<AnyOptimizer> make_optimizer(OptimizerOptions const& options);

/// The option half_steps, for TrainingOptions; false for methods that do not have it. Throws as `optimizer_values`.
bool half_steps_of(OptimizerOptions const& options);

/// What a list of optimizers says of a method, or of a base optimizer.
struct OptimizerDescription {
    std::string name, equation, source;
    bool has_plus = false;  ///< there is a method "name+" with the mixed loss of two batches
};
std::vector<OptimizerDescription> describe_methods();
std::vector<OptimizerDescription> describe_base_optimizers();

/// Every name of a method, those with + after those without.
std::vector<std::string> method_names();
std::vector<std::string> base_names();

/// What an option means, its range, and what it can be; the default is the method's.
using OptimizerOptionDescription = registry::OptionDescription;
std::vector<OptimizerOptionDescription> describe_optimizer_options();
/// "Radius of the perturbation, >= 0".
inline std::string meaning_of(OptimizerOptionDescription const& option) {
    auto text = std::string(option.meaning);
    if (!option.range.empty()) text.append(", ").append(option.range);
    return text;
}

namespace detail {

// The options that all methods have, put around one: intervals, clipping, schedules, and how many steps an epoch has.
void surround(polder::Settings& settings, registry::OptionReader& options, bool perturbs,
              bool is_base_alone, int batches);

/// The optimizer of these options, for parameters on a System.
template <class System>
AnyOptimizerOn<System> make_optimizer_on(OptimizerOptions const& chosen,
                                         registry::OptionReader& options);

}  // namespace detail

}  // namespace polder::recsys
