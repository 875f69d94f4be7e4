// expect: polder: the closure is called as scalar(parameters const&, gradient&)
#include <vector>

#include <polder/polder.hpp>

int main() {
    std::vector<double> x(3);
    polder::BSAM optimizer{polder::Adam{}};
#ifdef POLDER_MISTAKE
    optimizer.step(x, [](std::vector<double> const&) { return 0.0; });
#else
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>&) { return 0.0; });
#endif
}
