// The methods of the registry on any container of doubles, compiled once for the programs that ask for all of them.
#pragma once

#include <vector>

#include <polder/any_optimizer.hpp>

#include "support/any_container.hpp"

namespace polder::test {

using Lines = std::vector<registry::MethodLine<AnyContainer<double>>>;
Lines all_lines();

}  // namespace polder::test
