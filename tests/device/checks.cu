// The same for CUDA.

#include "device/checks.cpp"
