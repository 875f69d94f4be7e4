// The methods of the registry on any container of doubles, compiled once for the programs that ask for all of them.
#pragma once

#include <vector>

#include <polder/any_optimizer.hpp>

#include "support/any_container.hpp"

namespace polder::test {

using Lines = std::vector<registry::MethodLine<AnyContainer<double>>>;

// In parts, each a file.
Lines lines_of_balls();
Lines lines_of_metrics();
Lines lines_of_directions();
Lines lines_of_mixes();

inline Lines all_lines() {
    Lines all;
    for (auto* part : {&lines_of_balls, &lines_of_metrics, &lines_of_directions, &lines_of_mixes}) {
        auto const lines = part();
        all.insert(all.end(), lines.begin(), lines.end());
    }
    return all;
}

}  // namespace polder::test
