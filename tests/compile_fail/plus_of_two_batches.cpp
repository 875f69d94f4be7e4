// expect: polder: Plus goes around a method of one batch
#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
using Method = polder::Plus<polder::ParallelAscent>;
#else
using Method = polder::Plus<polder::MomentumAscent>;
#endif

int main() {
    std::vector<double> x(3);
    polder::Optimizer optimizer{Method{}, polder::Adam{}};
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>& gradient, polder::Pass) {
        gradient.assign(3, 1);
        return 1.0;
    });
}
