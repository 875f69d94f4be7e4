// Trajectories of parameters in float32.

#include "golden/replay.hpp"

#include "recsys/training/methods.hpp"

namespace golden::GOLDEN_DEVICE {

template <>
std::vector<polder::registry::MethodLine<Arena<float>>> lines_of_registry<Arena<float>>() {
#if defined(POLDER_GOLDEN_ON_CUDA)
    using System = polder::Cuda;
#elif defined(POLDER_GOLDEN_ON_THRUST)
    using System = polder::test::ThrustOfEnvironment;
#else
    using System = polder::HostMemory;
#endif
    return polder::recsys::detail::all_lines<System>();
}

void replay_in_float(Trajectory const& trajectory) {
    replay_on(arena_of<float>(trajectory.problem.tensors), trajectory);
}

}  // namespace golden::GOLDEN_DEVICE
