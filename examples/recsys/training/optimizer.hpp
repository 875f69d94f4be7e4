/// Optimizers chosen at run time, by the names that the command line uses.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <polder/blocks/arena.hpp>
#include <polder/closure/pass.hpp>
#include <polder/closure/report.hpp>
#include <polder/state/safetensors.hpp>

#include "recsys/models/hyper_parameters.hpp"

namespace polder::recsys {

/// Loss and gradient at given parameters; see polder::Sharpness::step.
using Closure = std::function<double(ParameterArena<float> const&, ParameterArena<float>&, Pass)>;

/// A method and a base optimizer that were composed at compile time, behind one interface.
class AnyOptimizer {
public:
    AnyOptimizer() = default;
    AnyOptimizer(AnyOptimizer const&) = delete;
    AnyOptimizer& operator=(AnyOptimizer const&) = delete;
    virtual ~AnyOptimizer() = default;

    /// One step at `parameters`. Throws polder::NonFiniteError; see polder::NonFinite.
    virtual Report step(ParameterArena<float>& parameters, Closure const& closure) = 0;

    /// Allocates the state for `parameters`, which is done at the first step otherwise.
    virtual void bind(ParameterArena<float>& parameters) = 0;

    /// Writes the state to a file under way and reads it from one; see polder/state/state.hpp.
    virtual void add_state(SafetensorsWriter& writer, ParameterArena<float>& parameters) = 0;
    virtual void load_state(SafetensorsFile& file, ParameterArena<float>& parameters) = 0;

    virtual void set_learning_rate(double rate) = 0;
    virtual void set_threads(int threads) = 0;
};

/// Which optimizer. Hyper-parameters that are not in `values` have polder's defaults.
struct OptimizerOptions {
    std::string method = "none";
    std::string base = "adam";
    std::string distance = "manhattan";  ///< of bsam and bsam+
    Settings values;                     ///< for example {"rho", "0.1"}
};

/// Names of the methods, base optimizers and distances.
inline constexpr std::array<std::string_view, 7> optimizer_methods{"none", "sam",   "fsam", "bsam",
                                                                   "sam+", "fsam+", "bsam+"};
inline constexpr std::array<std::string_view, 2> base_optimizers{"adam", "sgd"};
inline constexpr std::array<std::string_view, 7> optimizer_distances{
    "manhattan", "manhattan_mean", "euclidean", "chebyshev", "cosine", "constant", "none"};

/// Every hyper-parameter of these options with its value. Throws std::invalid_argument that lists
/// the known names for an unknown method, base optimizer, distance or hyper-parameter, and says
/// which value was expected.
std::vector<HyperParameterValue> hyper_parameters(OptimizerOptions const& options);

/// The optimizer of these options. Throws as `hyper_parameters`.
std::unique_ptr<AnyOptimizer> make_optimizer(OptimizerOptions const& options);

}  // namespace polder::recsys
