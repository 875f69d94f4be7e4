// The same for CUDA.

#include "golden/replay_double.cpp"
