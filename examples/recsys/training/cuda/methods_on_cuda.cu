#include <polder/device/cuda_system.hpp>

#include <polder/device/engine.hpp>

#include "recsys/training/methods.hpp"

POLDER_METHODS(Cuda)
