// How to choose rho: a sweep.
//
// A network with one hidden layer learns on which of two moons a point lies, from 120 points of which a fifth have a wrong label.
// SAM with rho = 0 is the base optimizer, which learns the wrong labels by heart. With a larger rho it does not; with too large a
// rho it learns nothing. The best rho is chosen on validation points, and then looked at on test points.
//
//     gallery_rho_sweep            prints the table; status 1 where the chosen rho is not better than 0 on the test points
//     gallery_rho_sweep FOLDER     and writes it, with a picture
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include <polder/polder.hpp>

#include "../results.hpp"

using Vector = std::vector<double>;
constexpr std::size_t hidden = 48, batch = 10, epochs = 400;
constexpr int seeds = 5;
constexpr std::array radii{0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0};

struct Point {
    double x, y, label;  // 1 or -1
};

std::vector<Point> draw(std::size_t count, double wrong, std::mt19937& random) {
    std::uniform_real_distribution<double> uniform;
    std::normal_distribution<double> normal;
    std::vector<Point> points;
    for (std::size_t n = 0; n < count; ++n) {
        double const angle = std::numbers::pi * uniform(random), side = n % 2 == 0 ? 1 : -1;
        points.push_back({side * (std::cos(angle) - 0.5) + 0.2 * normal(random),
                          side * (std::sin(angle) - 0.25) + 0.2 * normal(random),
                          uniform(random) < wrong ? -side : side});
    }
    return points;
}

// f = b + sum over k of a_k tanh(u_k x + v_k y + c_k), with w = (u, v, c, a, b). Adds scale * grad f to a gradient, if there is one.
double network(Vector const& w, Point const& at, double scale, Vector* gradient) {
    double f = w[4 * hidden];
    for (std::size_t k = 0; k < hidden; ++k)
        f += w[3 * hidden + k] * std::tanh(w[k] * at.x + w[hidden + k] * at.y + w[2 * hidden + k]);
    if (gradient == nullptr) return f;
    // The loss log(1 + exp(-label f)) of the point.
    double const slope = -scale * at.label / (1 + std::exp(at.label * f));
    for (std::size_t k = 0; k < hidden; ++k) {
        double const h = std::tanh(w[k] * at.x + w[hidden + k] * at.y + w[2 * hidden + k]);
        double const inner = slope * w[3 * hidden + k] * (1 - h * h);
        (*gradient)[k] += inner * at.x;
        (*gradient)[hidden + k] += inner * at.y;
        (*gradient)[2 * hidden + k] += inner;
        (*gradient)[3 * hidden + k] += slope * h;
    }
    (*gradient)[4 * hidden] += slope;
    return f;
}

double accuracy(std::vector<Point> const& points, Vector const& w) {
    double right = 0;
    for (Point const& point : points)
        right += network(w, point, 0, nullptr) * point.label > 0 ? 1 : 0;
    return 100 * right / static_cast<double>(points.size());
}

int main(int argc, char** argv) try {
    std::array<std::array<double, 3>, radii.size()> mean{};  // training, validation, test
    for (int seed = 0; seed < seeds; ++seed) {
        std::mt19937 random(static_cast<unsigned>(seed));
        auto const train = draw(120, 0.2, random), valid = draw(500, 0, random),
                   test = draw(2000, 0, random);
        Vector start(4 * hidden + 1);
        for (double& value : start) value = std::normal_distribution<double>()(random);
        for (std::size_t r = 0; r < radii.size(); ++r) {
            Vector w = start;
            polder::SAM optimizer{polder::SGD{.learning_rate = 0.1, .momentum = 0.9},
                                  {.rho = radii[r]}};
            for (std::size_t step = 0; step < epochs * train.size() / batch; ++step)
                optimizer.step(w, [&](Vector const& at, Vector& gradient) {
                    double loss = 0;
                    gradient.assign(at.size(), 0);
                    for (std::size_t n = 0; n < batch; ++n) {
                        Point const& point = train[(step * batch + n) % train.size()];
                        double const f = network(at, point, 1.0 / batch, &gradient);
                        loss += std::log1p(std::exp(-point.label * f)) / batch;
                    }
                    return loss;
                });
            mean[r][0] += accuracy(train, w) / seeds;
            mean[r][1] += accuracy(valid, w) / seeds;
            mean[r][2] += accuracy(test, w) / seeds;
        }
    }
    std::puts("    rho   training   validation   test     per cent, mean of 5 seeds");
    std::size_t best = 0;
    std::string lines;
    for (std::size_t r = 0; r < radii.size(); ++r) {
        std::printf("%7.2f %8.1f %12.1f %8.1f\n", radii[r], mean[r][0], mean[r][1], mean[r][2]);
        lines += csv_line({radii[r], mean[r][0], mean[r][1], mean[r][2]});
        if (mean[r][1] > mean[best][1]) best = r;
    }
    double const gain = mean[best][2] - mean[0][2];
    std::printf("chosen on validation: rho = %g; on the test points %+.1f\n", radii[best], gain);
    if (argc > 1) {
        write_table(argv[1], "rho_sweep.csv", "rho,training,validation,test", lines);
        draw_picture(argv[1], POLDER_GALLERY, "rho_sweep");
    }
    return gain > 0 ? 0 : 1;
} catch (std::exception const& error) {
    std::fprintf(stderr, "gallery_rho_sweep: %s\n", error.what());
    return 2;
}
