// Trajectories over one base optimizer.

#include "golden/replay.hpp"

void golden::GOLDEN_DEVICE::replay_over_sgd(json const& base, Trajectory const& trajectory) {
    replay_over(polder::SGD{.learning_rate = base.at("lr"),
                            .momentum = base.at("momentum"),
                            .dampening = base.at("dampening"),
                            .weight_decay = base.at("weight_decay"),
                            .nesterov = base.at("nesterov")},
                trajectory);
}
