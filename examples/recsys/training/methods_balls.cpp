#include "recsys/training/methods.hpp"

POLDER_METHODS(balls, for_each_ball, HostMemory)
