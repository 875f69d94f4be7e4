// expect: polder: this method uses two batches; let the closure take a polder::Pass
#include <vector>

#include <polder/polder.hpp>

int main() {
    std::vector<double> x(3), gradient(3);
    polder::SAMPlus optimizer{polder::SGD{}};
#ifdef POLDER_MISTAKE
    optimizer.step_in_place(x, gradient, [] { return 0.0; });
#else
    optimizer.step_in_place(x, gradient, [](polder::Pass) { return 0.0; });
#endif
}
