// expect: polder: a ball has its radius as a member double rho
// lines: 130
#include <vector>

#include <polder/polder.hpp>

struct Ball {
#ifdef POLDER_MISTAKE
    double radius = 0.1;
    double length() const { return radius; }
#else
    double rho = 0.1;
    double length() const { return rho; }
#endif
    void validate() const {}
    double coefficient(double norm) const { return norm > 0 ? length() / norm : 0; }
};
#ifdef POLDER_MISTAKE
static_assert(!polder::composable<Ball, polder::NoDistance, polder::NoMix, polder::SGD>);
#endif

int main() {
    std::vector<double> x(3);
    polder::Sharpness optimizer{Ball{}, polder::NoDistance{}, polder::NoMix{}, polder::SGD{}};
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>& gradient) {
        gradient.assign(3, 1);
        return 1.0;
    });
}
