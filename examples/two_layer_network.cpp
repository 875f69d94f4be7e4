// A network of two layers in plain std::vector learns on which of two moons a point lies.
//
// A point has ten coordinates. Two of them say where it lies, and eight say nothing. There are few points to learn from, and a
// fifth of them have a wrong label. With that many coordinates the base optimizer alone can learn the wrong labels by heart. SAM
// looks for parameters around which the loss stays low. There the wrong labels are not learnt so easily.
//
// A point x gives hidden units h_k = tanh(u_k'x + c_k) and the score z = sum of w_k h_k. It is taken for the first moon if z > 0.
// The loss is the mean of log(1 + exp(-y z)) with labels y = +1 or -1.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <numbers>
#include <random>
#include <tuple>
#include <vector>

#include <polder/polder.hpp>

#include "five_seeds.hpp"

constexpr std::size_t coordinates = 10, units = 32;

struct Network {
    std::vector<double> u, c;  // of the hidden units; in u one after the other
    std::vector<double> w;     // of the score
};

// All that polder needs to know about a type of our own.
template <>
struct polder::Members<Network> {
    static auto of(Network& net) { return std::tie(net.u, net.c, net.w); }
};

struct Point {
    std::array<double, coordinates> x;
    double label;
};

// Two moons in each other's arms. A share `wrong` of the points has the label of the other moon.
std::vector<Point> moons(std::size_t count, double wrong, std::mt19937& random) {
    std::uniform_real_distribution<double> along(0, std::numbers::pi);
    std::normal_distribution<double> normal;
    std::bernoulli_distribution mistake(wrong);
    std::vector<Point> points(count);
    for (std::size_t k = 0; k < count; ++k) {
        const double side = k % 2 == 0 ? 1 : -1, angle = along(random);
        auto& [x, label] = points[k];
        for (double& value : x) value = normal(random);
        x[0] = side * (std::cos(angle) - 0.5) + 0.15 * x[0];
        x[1] = side * (std::sin(angle) - 0.25) + 0.15 * x[1];
        label = mistake(random) ? -side : side;
    }
    return points;
}

// z, and the hidden units on the way.
double score(Network const& net, Point const& point, std::array<double, units>& hidden) {
    double z = 0;
    for (std::size_t k = 0; k < units; ++k) {
        double inside = net.c[k];
        for (std::size_t i = 0; i < coordinates; ++i)
            inside += net.u[k * coordinates + i] * point.x[i];
        hidden[k] = std::tanh(inside);
        z += net.w[k] * hidden[k];
    }
    return z;
}

// The loss of one point, and its gradient.
double loss(Point const& point, Network const& net, Network& gradient) {
    gradient.u.resize(units * coordinates);
    gradient.c.resize(units);
    gradient.w.resize(units);
    std::array<double, units> hidden;
    const double margin = point.label * score(net, point, hidden);
    const double dz = -point.label / (1 + std::exp(margin));
    for (std::size_t k = 0; k < units; ++k) {
        const double inside = dz * net.w[k] * (1 - hidden[k] * hidden[k]);
        for (std::size_t i = 0; i < coordinates; ++i)
            gradient.u[k * coordinates + i] = inside * point.x[i];
        gradient.c[k] = inside;
        gradient.w[k] = dz * hidden[k];
    }
    return std::log1p(std::exp(-margin));
}

double accuracy(std::vector<Point> const& points, Network const& net) {
    std::array<double, units> hidden;
    double right = 0;
    for (Point const& point : points) right += score(net, point, hidden) * point.label > 0;
    return right / double(points.size());
}

// Trains a network, and returns how many of the unseen points it gets right, in per cent.
template <class Optimizer>
double train(Optimizer optimizer, unsigned seed) {
    std::mt19937 random(seed);
    const std::vector<Point> seen = moons(300, 0.2, random), unseen = moons(2000, 0, random);

    Network net{std::vector<double>(units * coordinates), std::vector<double>(units),
                std::vector<double>(units)};
    std::normal_distribution<double> normal, small(0, 0.45);
    for (double& value : net.u) value = small(random);
    for (auto* part : {&net.c, &net.w})
        for (double& value : *part) value = normal(random);

    for (int step = 0; step < 6000; ++step) {
        Point const& point = seen[random() % seen.size()];
        optimizer.step(
            net, [&](Network const& at, Network& gradient) { return loss(point, at, gradient); });
    }
    return 100 * accuracy(unseen, net);
}

int main() {
    // Learning rates and radius were chosen on the seeds 101 to 105.
    std::puts("unseen points that are right, in per cent, mean of five seeds");
    const double plain = over_five_seeds("SGD", [](unsigned seed) {
        return train(polder::Plain{polder::SGD{.learning_rate = 0.003}}, seed);
    });
    const double sam = over_five_seeds("SAM over SGD", [](unsigned seed) {
        return train(polder::SAM{polder::SGD{.learning_rate = 0.01}, {.rho = 0.5}}, seed);
    });
    return sam > plain ? 0 : 1;
}
