#include "support/thrust_of_environment.hpp"

#include <polder/device/engine.hpp>

#include "recsys/training/methods.hpp"

POLDER_METHODS(balls, for_each_ball, polder::test::ThrustOfEnvironment)
POLDER_METHODS(metrics, for_each_metric, polder::test::ThrustOfEnvironment)
POLDER_METHODS(directions, for_each_direction, polder::test::ThrustOfEnvironment)
POLDER_METHODS(mixes, for_each_mix, polder::test::ThrustOfEnvironment)
