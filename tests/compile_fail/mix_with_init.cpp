// expect: polder: a mix keeps nothing from step to step, so its init would not be called; write a method
// lines: 130
#include <vector>

#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
struct Mix : polder::NoMix {
    polder::ArrayId init(polder::Plan& plan) const { return plan.kept("kept"); }
};
static_assert(!polder::composable<polder::EuclideanBall, polder::NoDistance, Mix, polder::SGD>);
#else
using Mix = polder::NoMix;
#endif

int main() {
    std::vector<double> x(3);
    polder::Sharpness optimizer{polder::EuclideanBall{}, polder::NoDistance{}, Mix{},
                                polder::SGD{}};
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>& gradient) {
        gradient.assign(3, 1);
        return 1.0;
    });
}
