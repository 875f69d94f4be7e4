// Trajectories and single perturbations of parameters in float64.

#include "golden/replay.hpp"

#if defined(GOLDEN_ON_HOST)
#include <Eigen/Core>

#include "support/any_container.hpp"
#include "support/lines.hpp"
#endif

namespace golden::GOLDEN_DEVICE {

#if defined(GOLDEN_ON_HOST)
using Container = polder::test::AnyContainer<double>;
template <>
std::vector<polder::registry::MethodLine<Container>> lines_of_registry<Container>() {
    return polder::test::all_lines();
}

// On an arena, on matrices of Eigen's, and on vectors where no method asks for rows.
void replay_in_double(Trajectory const& trajectory) {
    auto const& tensors = trajectory.problem.tensors;
    replay_on(Container::copy_of(arena_of<double>(tensors)), trajectory);
    std::vector<Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> matrices;
    std::vector<std::vector<double>> vectors;
    for (Tensor const& t : tensors) {
        matrices.emplace_back(static_cast<Eigen::Index>(t.rows), static_cast<Eigen::Index>(t.cols));
        vectors.emplace_back(t.size());
    }
    replay_on(Container::copy_of(matrices), trajectory);
    if (!trajectory.recipe.needs_rows) replay_on(Container::copy_of(vectors), trajectory);
}
#else
void replay_in_double(Trajectory const& trajectory) {
    replay_on(arena_of<double>(trajectory.problem.tensors), trajectory);
}
#endif

void check_perturbation(Recipe const& recipe, std::vector<double> const& expected,
                        std::vector<Tensor> const& tensors, std::vector<double> const& w,
                        std::vector<double> const& g, double tolerance) {
#if defined(GOLDEN_ON_HOST)
    auto x = Container::copy_of(arena_of<double>(tensors));
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
