// expect: polder: a Distance needs a perturbation
#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
using Ball = polder::NoPerturbation;
#else
using Ball = polder::EuclideanBall;
#endif

int main() {
    std::vector<double> x(3);
    polder::Sharpness optimizer{Ball{}, polder::AlongAverage{}, polder::NoMix{}, polder::SGD{}};
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>& gradient) {
        gradient.assign(3, 1);
        return 1.0;
    });
}
