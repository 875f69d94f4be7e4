// Logistic regression on several processes (ranks): each has a part of the points, and all make the same steps.
//
//     mpirun -np 2 mpi_logistic_regression
//     mpirun -np 2 mpi_logistic_regression --time 1000000     the seconds of a step, and the bytes that a rank sends
//
// The loss is the mean of log(1 + exp(-y w'x)) over the points x with labels y = +1 or -1, one label in ten of which is wrong.
// What a program of one process needs besides MPI_Init and its own part of the data is the line with set_ranks.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include <polder/mpi.hpp>
#include <polder/polder.hpp>

using Vector = std::vector<double>;

struct Point {
    Vector x;  // its last coordinate is 1, so that the last weight is the bias
    double y;  // +1 or -1
};

double inner_product(Vector const& a, Vector const& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
}

// Points on both sides of the plane w'x = 0, a share `wrong` of them with the label of the other side. Of every `size` points
// the one that belongs to this rank is kept, so that the ranks together have what one process has.
std::vector<Point> draw(Vector const& plane, int count, double wrong, unsigned seed, int rank,
                        int size) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    std::bernoulli_distribution mistake(wrong);
    std::vector<Point> points;
    for (int k = 0; k < count; ++k) {
        Point point{Vector(plane.size(), 1.0), 0};
        for (std::size_t i = 0; i + 1 < plane.size(); ++i) point.x[i] = normal(random);
        point.y = (inner_product(plane, point.x) > 0) != mistake(random) ? 1 : -1;
        if (k % size == rank) points.push_back(std::move(point));
    }
    return points;
}

// The loss at w, and its gradient: the mean of -y sigmoid(-y w'x) x.
double loss(std::vector<Point> const& points, Vector const& w, Vector& gradient) {
    auto const count = static_cast<double>(points.size());
    double sum = 0;
    std::fill(gradient.begin(), gradient.end(), 0);
    for (Point const& point : points) {
        const double margin = point.y * inner_product(w, point.x);
        const double factor = -point.y / (1 + std::exp(margin)) / count;
        for (std::size_t i = 0; i < w.size(); ++i) gradient[i] += factor * point.x[i];
        sum += std::log1p(std::exp(-margin));
    }
    return sum / count;
}

double accuracy(std::vector<Point> const& points, Vector const& w) {
    auto const right = std::count_if(points.begin(), points.end(), [&](Point const& point) {
        return inner_product(w, point.x) * point.y > 0;
    });
    return static_cast<double>(right) / static_cast<double>(points.size());
}

// Prints the seconds of a step of so many weights on 24 points, the least of 20, and the bytes that a rank hands to MPI for it.
void time_steps(std::size_t weights, polder::Averaged averaged) {
    const polder::Mpi ranks(MPI_COMM_WORLD, {.averaged = averaged});
    auto const points = draw(Vector(weights, 1.0), 24, 0, 1, ranks.rank(), ranks.size());
    Vector w(weights, 0.0);
    polder::BSAM optimizer{polder::Adam{}, {.rho = 0.1}};
    optimizer.set_ranks(ranks);
    auto const step = [&] {
        optimizer.step(
            w, [&](Vector const& at, Vector& gradient) { return loss(points, at, gradient); });
    };
    step();
    auto const before = ranks.bytes();
    double least = 1e9;
    for (int k = 0; k < 20; ++k) {
        MPI_Barrier(MPI_COMM_WORLD);
        auto const start = std::chrono::steady_clock::now();
        step();
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
        least = std::min(least, seconds.count());
    }
    if (ranks.rank() == 0) {
        std::printf("%d ranks, %zu weights, %s: %.3g s a step, %llu bytes\n", ranks.size(), weights,
                    averaged == polder::Averaged::descent ? "the descent averaged"
                                                          : "every pass averaged",
                    least, static_cast<unsigned long long>((ranks.bytes() - before) / 20));
    }
}

bool learn() {
    const polder::Mpi ranks(MPI_COMM_WORLD);
    std::mt19937 random(7);
    std::normal_distribution<double> normal;
    Vector plane(21);
    for (double& value : plane) value = normal(random);
    auto const seen = draw(plane, 300, 0.1, 1, ranks.rank(), ranks.size());  // this rank's part
    auto const unseen = draw(plane, 2000, 0, 2, 0, 1);

    Vector w(plane.size(), 0.0);
    polder::BSAM optimizer{polder::Adam{.learning_rate = 0.05}, {.rho = 0.1}};
    optimizer.set_ranks(ranks);
    for (int step = 1; step <= 200; ++step) {
        const polder::Report report = optimizer.step(
            w, [&](Vector const& at, Vector& gradient) { return loss(seen, at, gradient); });
        if (ranks.rank() == 0 && (step == 1 || step % 50 == 0)) {
            std::printf("step %3d: loss %.3f, %.1f %% of the unseen points are on the right side\n",
                        step, report.loss, 100 * accuracy(unseen, w));
        }
    }
    return accuracy(unseen, w) > 0.9;
}

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    bool good = true;
    if (argc == 3 && std::strcmp(argv[1], "--time") == 0 && std::atoll(argv[2]) > 1) {
        for (auto averaged : {polder::Averaged::every_pass, polder::Averaged::descent})
            time_steps(static_cast<std::size_t>(std::atoll(argv[2])), averaged);
    } else if (argc == 1) {
        good = learn();
    } else {
        std::fprintf(stderr,
                     "usage: mpi_logistic_regression [--time <number of weights, at least 2>]\n");
        good = false;
    }
    MPI_Finalize();
    return good ? 0 : 1;
}
