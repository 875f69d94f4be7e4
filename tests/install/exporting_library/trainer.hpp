#pragma once

#include <vector>

#include <polder/polder.hpp>

using Trainer = polder::SAM<polder::SGD>;

// Steps x towards 0, and returns the loss before the step.
double train(Trainer& trainer, std::vector<double>& x);
