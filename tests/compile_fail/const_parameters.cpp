// expect: polder: the parameters are const; pass a container that can be written to
#include <vector>

#include <polder/polder.hpp>

int main() {
#ifdef POLDER_MISTAKE
    std::vector<double> const x(3);
#else
    std::vector<double> x(3);
#endif
    polder::SAM optimizer{polder::SGD{}};
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>&) { return 0.0; });
}
