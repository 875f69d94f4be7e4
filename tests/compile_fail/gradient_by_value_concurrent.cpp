// expect: polder: the closure takes a copy of the gradient and writes to that
#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
using Gradient = std::vector<double>;
#else
using Gradient = std::vector<double>&;
#endif

int main() {
    std::vector<double> x(3);
    polder::BSAMPlus optimizer{polder::Adam{}};
    auto const first = [](std::vector<double> const&, std::vector<double>& gradient) {
        gradient.assign(3, 1);
        return 1.0;
    };
    auto const second = [](std::vector<double> const&, Gradient gradient) {
        gradient.assign(3, 1);
        return 1.0;
    };
    optimizer.step(x, polder::concurrent(first, second));
}
