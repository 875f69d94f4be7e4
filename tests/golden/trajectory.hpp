/// One case of a file of trajectories, and who replays it over which base optimizer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "golden/problem.hpp"

namespace golden {

/// A case with all that it refers to.
struct Trajectory {
    Problem const& problem;
    nlohmann::json const& item;
    std::string variant;
    nlohmann::json const& hyper_parameters;
    std::vector<std::uint8_t> mask;  ///< the first one; empty where the file has none
    double tolerance;
    bool single_precision;
};

// Each in a file of its own, since every method is compiled over every base optimizer; and each file once for every
// device that the program is built for. `base`: the hyper-parameters, with torch.optim's names. Throw what does not
// agree, and NotBuilt. check_perturbation: eps alone for parameters w and a gradient g of the given tensors.
#define GOLDEN_DECLARE_REPLAYS(device)                                                             \
    namespace device {                                                                             \
    void replay_over_sgd(nlohmann::json const& base, Trajectory const& trajectory);                \
    void replay_over_adam(nlohmann::json const& base, Trajectory const& trajectory);               \
    void replay_over_adamw(nlohmann::json const& base, Trajectory const& trajectory);              \
    void replay_over_rmsprop(nlohmann::json const& base, Trajectory const& trajectory);            \
    void replay_over_adagrad(nlohmann::json const& base, Trajectory const& trajectory);            \
    void check_perturbation(std::string const& method, nlohmann::json const& expected,             \
                            std::vector<Tensor> const& tensors, std::vector<double> const& w,      \
                            std::vector<double> const& g, double tolerance);                       \
    }

GOLDEN_DECLARE_REPLAYS(on_host)
GOLDEN_DECLARE_REPLAYS(on_thrust)
GOLDEN_DECLARE_REPLAYS(on_cuda)

#undef GOLDEN_DECLARE_REPLAYS

}  // namespace golden
