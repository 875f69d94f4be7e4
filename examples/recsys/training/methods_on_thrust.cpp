#include "support/thrust_of_environment.hpp"

#include <polder/device/engine.hpp>

#include "recsys/training/methods.hpp"

POLDER_METHODS(polder::test::ThrustOfEnvironment, for_each_method)
