#include "recsys/training/methods.hpp"

POLDER_METHODS(HostMemory, for_each_method)
