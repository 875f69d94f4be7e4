/// Optimizers chosen at run time, by the names that the command line uses.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <polder/blocks/arena.hpp>
#include <polder/closure/pass.hpp>
#include <polder/closure/report.hpp>
#include <polder/state/safetensors.hpp>

#include "recsys/models/hyper_parameters.hpp"
#include "recsys/place.hpp"

namespace polder::recsys {

/// What the reports of steps did not say, summed up over the steps.
struct LossSums {
    double loss = 0;       ///< L_B1 before each step
    double sharpness = 0;  ///< L_B1(x + eps) - L_B1(x) of the steps with an eps
    std::size_t sharpness_steps = 0;
};

/// A method that was composed at compile time, on a base optimizer, behind one interface, for parameters that lie
/// on a System.
template <class System>
class AnyOptimizerOn {
public:
    using Arena = ArenaOf<float, System>;
    /// Loss and gradient at given parameters; see polder::Sharpness::step.
    using Closure = std::function<LossOf<System>(Arena const&, Arena&, Pass)>;

    AnyOptimizerOn() = default;
    AnyOptimizerOn(AnyOptimizerOn const&) = delete;
    AnyOptimizerOn& operator=(AnyOptimizerOn const&) = delete;
    virtual ~AnyOptimizerOn() = default;

    /// One step at `parameters`. Throws polder::NonFiniteError; see polder::NonFinite.
    virtual ReportOf<System> step(Arena& parameters, Closure const& closure) = 0;

    /// Tells that the next step is the first of an epoch; see polder::Sharpness::begin_epoch.
    virtual void begin_epoch() = 0;

    /// Allocates the state for `parameters`, which is done at the first step otherwise. Throws
    /// std::invalid_argument where `exempt` of the options names a block that they do not have.
    virtual void bind(Arena& parameters) = 0;

    /// Writes the state to a file under way and reads it from one; see polder/state/state.hpp.
    virtual void add_state(SafetensorsWriter& writer, Arena& parameters) = 0;
    virtual void load_state(SafetensorsFile& file, Arena& parameters) = 0;

    /// Parameters of these names are never perturbed or changed, nor part of any norm. Before the first step.
    virtual void freeze(std::vector<std::string> const& names) = 0;

    virtual void set_learning_rate(double rate) = 0;
    virtual void set_threads(int threads) = 0;

    /// Whether a step looks at the loss at perturbed parameters.
    [[nodiscard]] virtual bool perturbs() const = 0;

    /// For an optimizer that keeps the parameters elsewhere: writes them to `parameters`, takes them from there,
    /// and says the losses of the steps since the last call, which their reports have as not-a-number. The first
    /// and the last wait for a device; the last throws polder::NonFiniteError for these steps.
    virtual void fetch(Arena&) {}
    virtual void give(Arena const&) {}
    virtual LossSums take_losses() { return {}; }
};

using AnyOptimizer = AnyOptimizerOn<HostMemory>;
using Closure = AnyOptimizer::Closure;

/// Which optimizer: a method on a base optimizer. Options that are not in `values` have the library's
/// defaults. Names may have - for _ and capital letters.
struct OptimizerOptions {
    std::string method = "none";
    std::string base = "adam";
    Settings
        values{};  ///< for example {"rho", "0.1"}, {"distance", "cosine"}, {"nesterov", "true"}
};

/// "sam", "bsam+:rho=0.1:distance=cosine" or "sam:base=sgd:momentum=0.9" as options. Throws
/// std::invalid_argument for a part without '='.
OptimizerOptions parse_optimizer(std::string_view text, OptimizerOptions const& defaults = {});

/// An option with its value. Numbers that are infinite mean "no limit".
struct OptimizerValue {
    /// Whose option it is: the base optimizer's, the method's, or one that all methods have.
    enum class Part { base, method, common };

    std::string name;
    AnyValue value;
    Part part = Part::method;
};

/// Every option of this method on this base optimizer with its value. Throws std::invalid_argument with the
/// nearest and all known names for an unknown method, base optimizer, option or choice, and says which value
/// was expected.
std::vector<OptimizerValue> optimizer_values(OptimizerOptions const& options);

/// The optimizer of these options. Throws as `optimizer_values`.
std::unique_ptr<AnyOptimizer> make_optimizer(OptimizerOptions const& options);

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
struct OptimizerOptionDescription {
    enum class Kind { number, whole, flag, text };

    std::string_view name;
    Kind kind;
    std::string_view meaning;
};
std::span<OptimizerOptionDescription const> describe_optimizer_options();

}  // namespace polder::recsys
