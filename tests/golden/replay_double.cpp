// Trajectories and single perturbations of parameters in float64.

#include "golden/replay.hpp"

namespace golden::GOLDEN_DEVICE {

void replay_in_double(Trajectory const& trajectory) {
    auto const& tensors = trajectory.problem.tensors;
#if defined(GOLDEN_HAS_KINDS)
    for (Kind kind : {Kind::arena, Kind::eigen, Kind::vectors}) {
        if (kind == Kind::vectors && trajectory.recipe.needs_rows) continue;
        replay_on(Parameters<double>(kind, tensors), trajectory);
    }
#else
    replay_on(arena_of<double>(tensors), trajectory);
#endif
}

void check_perturbation(Recipe const& recipe, std::vector<double> const& expected,
                        std::vector<Tensor> const& tensors, std::vector<double> const& w,
                        std::vector<double> const& g, double tolerance) {
#if defined(GOLDEN_HAS_KINDS)
    Parameters<double> x(Kind::arena, tensors);
#else
    auto x = arena_of<double>(tensors);
#endif
    using C = decltype(x);
    C eps = x;
    copy_in(w, x);
    auto optimizer = optimizer_of(x, recipe, {"sgd"}, tensors, 1);
    Losses<C> losses;
    optimizer.perturbation(
        x,
        [&](C const&, C& gradient, polder::Pass) {
            copy_in(g, gradient);
            return losses.kept(0);
        },
        eps);
    std::vector<double> found(w.size());
    copy_out(eps, found);
    check_vector("eps", found, expected, tolerance);
}

}  // namespace golden::GOLDEN_DEVICE
