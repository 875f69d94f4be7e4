// Trajectories over all base optimizers in one: for devices.

#include "golden/over_adagrad.cpp"
#include "golden/over_adam.cpp"
#include "golden/over_adamw.cpp"
#include "golden/over_rmsprop.cpp"
#include "golden/over_sgd.cpp"
#include "golden/perturbations.cpp"
