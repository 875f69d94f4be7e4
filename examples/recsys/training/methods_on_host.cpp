#include "recsys/training/methods.hpp"

#if defined(POLDER_SOME_METHODS)
POLDER_METHODS(HostMemory, for_each_direction)
#else
POLDER_METHODS(HostMemory, for_each_method)
#endif
