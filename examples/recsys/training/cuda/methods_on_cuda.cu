#include <polder/device/cuda_system.hpp>

#include <polder/device/engine.hpp>

#include "recsys/training/methods.hpp"

#if defined(POLDER_SOME_METHODS)
POLDER_METHODS(Cuda, for_each_ball)
#else
POLDER_METHODS(Cuda, for_each_method)
#endif
