#include "recsys/training/methods.hpp"

POLDER_METHODS(directions, for_each_direction, HostMemory)
