#include "recsys/training/methods.hpp"

POLDER_METHODS(metrics, for_each_metric, HostMemory)
