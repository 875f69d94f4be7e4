// expect: polder: this method has no perturbation
#include <vector>

#include <polder/polder.hpp>

int main() {
    std::vector<double> x(3), eps(3);
#ifdef POLDER_MISTAKE
    polder::Plain optimizer{polder::SGD{}};
#else
    polder::SAM optimizer{polder::SGD{}};
#endif
    optimizer.perturbation(
        x, [](std::vector<double> const&, std::vector<double>&) { return 0.0; }, eps);
}
