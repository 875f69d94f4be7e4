// expect: polder: the closure must return the loss
#include <vector>

#include <polder/polder.hpp>

int main() {
    std::vector<double> x(3);
    polder::SAM optimizer{polder::SGD{}};
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>& gradient) {
        gradient.assign(3, 0.0);
#ifndef POLDER_MISTAKE
        return 0.0;
#endif
    });
}
