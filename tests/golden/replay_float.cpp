// Trajectories of parameters in float32.

#include "golden/replay.hpp"

void golden::GOLDEN_DEVICE::replay_in_float(Trajectory const& trajectory) {
#if defined(GOLDEN_HAS_KINDS)
    replay_on(Parameters<float>(Kind::eigen, trajectory.problem.tensors), trajectory);
#else
    replay_on(arena_of<float>(trajectory.problem.tensors), trajectory);
#endif
}
