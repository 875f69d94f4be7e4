/// What a search found over two of its options.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "recsys/app/pictures.hpp"

namespace polder::recsys::app {

/// A setting that was tried. `model` and `optimizer` are what it is called on the command line.
struct SearchPoint {
    std::string model, optimizer;
    std::map<std::string, std::string> settings;  ///< all of them, as text
    double value = 0;                             ///< in validation
};

/// The axes x and y that a map of these points can have: options with several numbers, "optimizer" and "model" where there
/// are several. Two options where there are such, else one over optimizers or models; of these pairs the one with the most
/// cells that have a value, which must be half of all. Nothing where there is none.
std::optional<std::pair<std::string, std::string>> axes_of(std::vector<SearchPoint> const& points);

/// The best value of each pair, over everything else. Numbers are in order, optimizers and models from the best on.
/// Throws std::invalid_argument, with what there is, for an axis that does not have several values.
HeatMap heat_map(std::vector<SearchPoint> const& points, std::string const& x, std::string const& y,
                 std::string const& value_label);

}  // namespace polder::recsys::app
