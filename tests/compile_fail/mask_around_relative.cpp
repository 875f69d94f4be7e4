// expect: polder: Masked and Stochastic go around a ball, and Centralised, SeveralAscents and Relative around a ball or one of these two
#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
using Ball = polder::Masked<polder::Relative<polder::EuclideanBall>, polder::FixedMask>;
#else
using Ball = polder::Relative<polder::Masked<polder::EuclideanBall, polder::FixedMask>>;
#endif

int main() {
    std::vector<double> x(3);
    polder::Sharpness optimizer{Ball{}, polder::NoDistance{}, polder::NoMix{}, polder::SGD{}};
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>& gradient) {
        gradient.assign(3, 1);
        return 1.0;
    });
}
