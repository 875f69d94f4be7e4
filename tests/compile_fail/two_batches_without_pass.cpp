// expect: polder: this method uses two batches; let the closure take a polder::Pass
#include <vector>

#include <polder/polder.hpp>

int main() {
    std::vector<double> x(3);
    polder::BSAMPlus optimizer{polder::Adam{}};
#ifdef POLDER_MISTAKE
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>&) { return 0.0; });
#else
    optimizer.step(
        x, [](std::vector<double> const&, std::vector<double>&, polder::Pass) { return 0.0; });
#endif
}
