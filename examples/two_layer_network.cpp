// A network of two layers in plain std::vector tells two spirals apart.
//
// A point (a, b) of the plane gives hidden units h_k = tanh(u_k a + v_k b + c_k) and the score
// z = sum of w_k h_k. It is taken for the first spiral if z > 0. The loss is the mean of
// log(1 + exp(-y z)) with labels y = +1 or -1.
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <numbers>
#include <random>
#include <tuple>
#include <vector>

#include <polder/polder.hpp>

struct Network {
    std::vector<double> u, v, c;  // of the hidden units
    std::vector<double> w;        // of the score
};

// All that polder needs to know about a type of our own.
template <>
struct polder::Members<Network> {
    static auto of(Network& net) { return std::tie(net.u, net.v, net.c, net.w); }
};

struct Point {
    double a, b, label;
};

// Two arms that wind around the origin, half a turn apart, with labels +1 and -1.
std::vector<Point> spirals(std::size_t count, std::mt19937& random) {
    std::uniform_real_distribution<double> along(0.3, 1.5);
    std::normal_distribution<double> noise(0, 0.04);
    std::vector<Point> points;
    for (std::size_t k = 0; k < count; ++k) {
        const double label = k % 2 == 0 ? 1 : -1;
        const double turns = along(random);
        const double angle = 2 * std::numbers::pi * turns;
        points.push_back({label * turns * std::cos(angle) + noise(random),
                          label * turns * std::sin(angle) + noise(random), label});
    }
    return points;
}

// z, and the hidden units on the way.
double score(Network const& net, Point const& point, std::vector<double>& hidden) {
    double z = 0;
    for (std::size_t k = 0; k < net.w.size(); ++k) {
        hidden[k] = std::tanh(net.u[k] * point.a + net.v[k] * point.b + net.c[k]);
        z += net.w[k] * hidden[k];
    }
    return z;
}

double loss(std::vector<Point> const& points, Network const& net, Network& gradient) {
    const std::size_t units = net.w.size();
    for (auto* part : {&gradient.u, &gradient.v, &gradient.c, &gradient.w}) part->assign(units, 0);
    std::vector<double> hidden(units);
    double total = 0;
    for (Point const& point : points) {
        const double margin = point.label * score(net, point, hidden);
        total += std::log1p(std::exp(-margin));
        const double dz = -point.label / (1 + std::exp(margin)) / double(points.size());
        for (std::size_t k = 0; k < units; ++k) {
            const double inside = dz * net.w[k] * (1 - hidden[k] * hidden[k]);
            gradient.u[k] += inside * point.a;
            gradient.v[k] += inside * point.b;
            gradient.c[k] += inside;
            gradient.w[k] += dz * hidden[k];
        }
    }
    return total / double(points.size());
}

double accuracy(std::vector<Point> const& points, Network const& net) {
    std::vector<double> hidden(net.w.size());
    double right = 0;
    for (Point const& point : points) right += score(net, point, hidden) * point.label > 0;
    return right / double(points.size());
}

int main() {
    std::mt19937 random(3);
    const std::vector<Point> seen = spirals(400, random), unseen = spirals(2000, random);

    Network net;
    std::normal_distribution<double> normal;
    for (auto* part : {&net.u, &net.v, &net.c, &net.w}) {
        for (int unit = 0; unit < 32; ++unit) part->push_back(normal(random));
    }

    std::printf("before training: %.1f %% of the unseen points are right\n",
                100 * accuracy(unseen, net));
    polder::SAM optimizer{polder::Adam{.learning_rate = 0.03}, {.rho = 0.02}};
    for (int step = 1; step <= 600; ++step) {
        const polder::Report report = optimizer.step(
            net, [&](Network const& at, Network& gradient) { return loss(seen, at, gradient); });
        if (step % 100 == 0) {
            std::printf("step %d: loss %.3f, sharpness %.3f, %.1f %% right\n", step, report.loss,
                        report.sharpness(), 100 * accuracy(unseen, net));
        }
    }
    return accuracy(unseen, net) > 0.97 ? 0 : 1;
}
