#include <polder/device/thrust_system.hpp>

#include <polder/device/engine.hpp>

#include "recsys/training/methods.hpp"

POLDER_METHODS(balls, for_each_ball, ThrustCpp)
POLDER_METHODS(metrics, for_each_metric, ThrustCpp)
POLDER_METHODS(directions, for_each_direction, ThrustCpp)
POLDER_METHODS(mixes, for_each_mix, ThrustCpp)
