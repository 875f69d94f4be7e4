// expect: polder: the closure takes a copy of the gradient and writes to that
#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
using Gradient = std::vector<double>;
#else
using Gradient = std::vector<double>&;
#endif

int main() {
    std::vector<double> x(3);
    polder::SAM optimizer{polder::Adam{}};
    optimizer.step(x, [](std::vector<double> const&, Gradient gradient) {
        gradient.assign(3, 1);
        return 1.0;
    });
}
