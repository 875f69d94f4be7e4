// Trajectories over one base optimizer.

#include "golden/replay.hpp"

void golden::GOLDEN_DEVICE::replay_over_rmsprop(json const& base, Trajectory const& trajectory) {
    replay_over(polder::RMSprop{.learning_rate = base.at("lr"),
                                .alpha = base.at("alpha"),
                                .eps = base.at("eps"),
                                .weight_decay = base.at("weight_decay"),
                                .momentum = base.at("momentum"),
                                .centered = base.at("centered")},
                trajectory);
}
