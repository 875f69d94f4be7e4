// expect: polder: this method uses one batch; give one closure
#include <vector>

#include <polder/polder.hpp>

int main() {
    std::vector<double> x(3);
    auto const closure = [](std::vector<double> const&, std::vector<double>&) { return 0.0; };
#ifdef POLDER_MISTAKE
    polder::BSAM optimizer{polder::Adam{}};
#else
    polder::BSAMPlus optimizer{polder::Adam{}};
#endif
    optimizer.step(x, closure, closure);
}
