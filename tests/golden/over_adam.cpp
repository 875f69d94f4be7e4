// Trajectories over one base optimizer.

#include "golden/replay.hpp"

void golden::GOLDEN_DEVICE::replay_over_adam(json const& base, Trajectory const& trajectory) {
    replay_over(polder::Adam{.learning_rate = base.at("lr"),
                             .beta1 = base.at("betas").at(0),
                             .beta2 = base.at("betas").at(1),
                             .eps = base.at("eps"),
                             .weight_decay = base.at("weight_decay"),
                             .amsgrad = base.at("amsgrad")},
                trajectory);
}
