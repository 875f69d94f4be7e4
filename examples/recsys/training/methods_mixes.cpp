#include "recsys/training/methods.hpp"

POLDER_METHODS(mixes, for_each_mix, HostMemory)
