/// One case of a file of trajectories, and who replays it where.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "golden/problem.hpp"
#include "golden/recipe.hpp"

namespace golden {

/// A case with all that it refers to.
struct Trajectory {
    Problem const& problem;
    nlohmann::json const& item;
    Recipe recipe;
    Named base;
    std::vector<std::uint8_t> mask;  ///< the first one; empty where the file has none
    double tolerance;
};

// One for every device that the program is built for, and for each precision, since each compiles every method. They
// throw what does not agree. check_perturbation: eps alone for parameters w and a gradient g of the given tensors.
#define GOLDEN_DECLARE_REPLAYS(device)                                                             \
    namespace device {                                                                             \
    void replay_in_float(Trajectory const& trajectory);                                            \
    void replay_in_double(Trajectory const& trajectory);                                           \
    void check_perturbation(Recipe const& recipe, std::vector<double> const& expected,             \
                            std::vector<Tensor> const& tensors, std::vector<double> const& w,      \
                            std::vector<double> const& g, double tolerance);                       \
    }

GOLDEN_DECLARE_REPLAYS(on_host)
GOLDEN_DECLARE_REPLAYS(on_thrust)
GOLDEN_DECLARE_REPLAYS(on_cuda)

#undef GOLDEN_DECLARE_REPLAYS

}  // namespace golden
