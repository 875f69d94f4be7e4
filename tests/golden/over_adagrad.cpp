// Trajectories over one base optimizer.

#include "golden/replay.hpp"

void golden::GOLDEN_DEVICE::replay_over_adagrad(json const& base, Trajectory const& trajectory) {
    replay_over(polder::Adagrad{.learning_rate = base.at("lr"),
                                .learning_rate_decay = base.at("lr_decay"),
                                .weight_decay = base.at("weight_decay"),
                                .initial_accumulator_value = base.at("initial_accumulator_value"),
                                .eps = base.at("eps")},
                trajectory);
}
