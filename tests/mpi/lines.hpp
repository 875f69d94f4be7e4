// The methods of the registry on parameters in several blocks, compiled in parts.
#pragma once

#include <vector>

#include <polder/any_optimizer.hpp>

namespace polder::test {

using Blocks = std::vector<std::vector<double>>;
using Lines = std::vector<registry::MethodLine<Blocks>>;

Lines lines_of_balls();
Lines lines_of_metrics();
Lines lines_of_directions();
Lines lines_of_mixes();

}  // namespace polder::test
