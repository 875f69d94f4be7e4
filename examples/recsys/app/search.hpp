/// The points of a search over hyper-parameters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "recsys/app/arguments.hpp"

namespace polder::recsys::app {

/// The values that a search tries for one option.
struct Grid {
    std::string name;
    std::vector<std::string> values;
};

/// "rho=0.05,0.1,0.5" as a grid. Commas in brackets do not separate. Throws std::invalid_argument for a text without
/// '=' and for a value that is listed twice.
Grid parse_grid(std::string const& text);

/// A model and an optimizer with their settings. The texts say the same as on the command line.
struct Candidate {
    ModelChoice model;
    OptimizerOptions optimizer;
    std::string model_text, optimizer_text;
};

/// Every combination of the values of the grids: for each model and each optimizer over those options that it has and
/// that it was not given, as in "sam:rho=0.1". An option that both have is the model's; "optimizer.NAME" is the
/// optimizer's. Throws std::invalid_argument for an
/// option that none of them has, and for values out of range.
std::vector<Candidate> candidates(std::vector<Candidate> const& begin,
                                  std::vector<Grid> const& grids);

/// `count` of them, drawn without replacement, in their order; all where there are no more. The draw depends on the
/// seed alone.
std::vector<Candidate> drawn(std::vector<Candidate> all, std::size_t count, std::uint64_t seed);

}  // namespace polder::recsys::app
