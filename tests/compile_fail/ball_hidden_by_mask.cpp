// expect: polder: a ball inside another policy has no place, and inside Masked and Stochastic no start, filter or after
// lines: 130
#include <vector>

#include <polder/polder.hpp>

struct Half : polder::EuclideanBall {
    template <class V, class... Read>
    V filter(V eps, Read...) const {
        return eps * V(0.5);
    }
};
#ifdef POLDER_MISTAKE
using Perturb = polder::Stochastic<Half>;
static_assert(!polder::composable<Perturb, polder::NoDistance, polder::NoMix, polder::SGD>);
#else
using Perturb = Half;
#endif

int main() {
    std::vector<double> x(3);
    polder::Sharpness optimizer{Perturb{}, polder::NoDistance{}, polder::NoMix{}, polder::SGD{}};
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>& gradient) {
        gradient.assign(3, 1);
        return 1.0;
    });
}
