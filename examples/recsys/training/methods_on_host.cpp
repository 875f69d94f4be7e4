#include "recsys/training/methods.hpp"

POLDER_METHODS(HostMemory)
