// A step of SAM over Adam next to the same step in four lines of Eigen: floats, one thread, alternating.
//
//   steps [size]...      default: 100 10000 26000 1000000
//
// Prints a line for each size: the size, polder's median in us, its spread (the middle half of the runs, in us), the same of
// Eigen, and the median of the ratios. The closure costs nothing: it leaves the gradient as it is.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <Eigen/Core>

#include <polder/polder.hpp>

namespace {

constexpr float rate = 1e-3f, beta1 = 0.9f, beta2 = 0.999f, eps = 1e-8f, rho = 0.05f,
                gradient = 1e-3f;

struct InEigen {
    Eigen::ArrayXf x, g, y, s, m, v;
    int k = 0;

    explicit InEigen(Eigen::Index size)
        : x(Eigen::ArrayXf::Ones(size)), g(Eigen::ArrayXf::Constant(size, gradient)), y(size), s(g),
          m(Eigen::ArrayXf::Zero(size)), v(m) {}
    void step() {
        ++k;
        float const root_scale = 1 / std::sqrt(1 - std::pow(beta2, static_cast<float>(k)));
        float const now = rate / (1 - std::pow(beta1, static_cast<float>(k)));
        y = x + rho / std::sqrt(g.square().sum()) * g;
        m = beta1 * m + (1 - beta1) * s;
        v = beta2 * v + (1 - beta2) * s.square();
        x -= now * m / (v.sqrt() * root_scale + eps);
    }
};

struct InPolder {
    Eigen::ArrayXf x;
    polder::SAM<polder::Adam> optimizer{polder::Adam{.learning_rate = rate}, {.rho = rho}};
    bool filled = false;

    explicit InPolder(Eigen::Index size) : x(Eigen::ArrayXf::Ones(size)) {
        optimizer.set_threads(1);
    }
    void step() {
        optimizer.step(x, [this](Eigen::ArrayXf const&, Eigen::ArrayXf& g) {
            if (!filled) g.setConstant(gradient);  // both passes of the first step
            return 1.0;
        });
        filled = true;
    }
};

// Microseconds of a step, over as many steps as take about two milliseconds.
template <class Side>
double time_of(Side& side, long steps) {
    auto const start = std::chrono::steady_clock::now();
    for (long k = 0; k < steps; ++k) side.step();
    std::chrono::duration<double, std::micro> const took = std::chrono::steady_clock::now() - start;
    return took.count() / static_cast<double>(steps);
}

double quantile(std::vector<double> values, double at) {
    std::sort(values.begin(), values.end());
    return values[static_cast<std::size_t>(at * static_cast<double>(values.size() - 1) + 0.5)];
}

void compare(long size) {
    InPolder polder(size);
    InEigen eigen(size);
    long const steps = std::max(1L, 4'000'000 / (size + 1000));
    time_of(polder, steps);
    time_of(eigen, steps);
    std::vector<double> ours, theirs, ratios;
    for (int run = 0; run < 9; ++run) {
        ours.push_back(time_of(polder, steps));
        theirs.push_back(time_of(eigen, steps));
        ratios.push_back(ours.back() / theirs.back());
    }
    std::printf("%8ld %10.2f %8.2f %10.2f %8.2f %6.2f\n", size, quantile(ours, .5),
                quantile(ours, .75) - quantile(ours, .25), quantile(theirs, .5),
                quantile(theirs, .75) - quantile(theirs, .25), quantile(ratios, .5));
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<long> sizes;
    for (int k = 1; k < argc; ++k) sizes.push_back(std::atol(argv[k]));
    if (sizes.empty()) sizes = {100, 10'000, 26'000, 1'000'000};
    for (long const size : sizes) compare(size);
}
