// Times the updates of ensmallen's Adam: METHOD is adam. Run by compare.py.

#include <cstddef>
#include <cstdio>
#include <string>

#if defined(_OPENMP)
#include <omp.h>
#endif

#include <ensmallen.hpp>

#include "problem.hpp"

int main(int argc, char** argv) {
    auto const task = peers::Task::read(argc, argv);
    if (task.method != "adam") task.refuse("adam");
    if (task.blocks != 1) {
        std::fprintf(stderr, "ensmallen's parameters are one matrix, %zu blocks are asked for\n",
                     task.blocks);
        return 2;
    }
#if defined(_OPENMP)
    omp_set_num_threads(task.threads);
#endif
    arma::fmat x(task.floats, 1), gradient(task.floats, 1);
    x.fill(1.0f);
    for (std::size_t i = 0; i < task.floats; ++i) gradient[i] = peers::gradient(i);

    ens::AdamUpdate adam;
    ens::AdamUpdate::Policy<arma::fmat, arma::fmat> policy(adam, x.n_rows, x.n_cols);
    auto const seconds = peers::time_steps(task.steps, [&] { policy.Update(x, 1e-3, gradient); });

    double moved = 0;
    for (float value : x) moved += peers::way(value);
    auto const number = [](int n) { return std::to_string(n); };
    peers::report("ensmallen " + number(ENS_VERSION_MAJOR) + "." + number(ENS_VERSION_MINOR) + "." +
                      number(ENS_VERSION_PATCH) + ", Armadillo " + arma::arma_version::as_string(),
                  moved / static_cast<double>(task.floats), seconds);
}
