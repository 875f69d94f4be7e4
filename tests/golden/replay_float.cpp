// Trajectories of parameters in float32.

#include "golden/replay.hpp"

#if !defined(POLDER_GOLDEN_ON_THRUST)
#include "recsys/training/methods.hpp"
#endif

namespace golden::GOLDEN_DEVICE {

#if defined(POLDER_GOLDEN_ON_CUDA)
template <>
std::vector<polder::registry::MethodLine<Arena<float>>> lines_of_registry<Arena<float>>() {
    return polder::recsys::detail::all_lines<polder::Cuda>();
}
#elif !defined(POLDER_GOLDEN_ON_THRUST)
template <>
std::vector<polder::registry::MethodLine<Arena<float>>> lines_of_registry<Arena<float>>() {
    return polder::recsys::detail::all_lines<polder::HostMemory>();
}
#endif

void replay_in_float(Trajectory const& trajectory) {
    replay_on(arena_of<float>(trajectory.problem.tensors), trajectory);
}

}  // namespace golden::GOLDEN_DEVICE
