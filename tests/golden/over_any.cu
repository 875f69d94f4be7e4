// The same for CUDA.

#include "golden/over_any.cpp"
