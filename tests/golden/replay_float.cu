// The same for CUDA.

#include "golden/replay_float.cpp"
