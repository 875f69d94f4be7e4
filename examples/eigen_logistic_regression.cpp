// Logistic regression with Eigen: which of two groups does a point belong to, if one label in ten of the
// points that we learn from is wrong?
//
// The loss is the mean of log(1 + exp(-y w'x)) over the points x with labels y = +1 or -1. FSAM looks for
// weights w around which it stays low.
#include <cmath>
#include <cstdio>
#include <numbers>
#include <random>

#include <Eigen/Dense>

#include <polder/polder.hpp>

using Eigen::MatrixXd;
using Eigen::VectorXd;

struct Points {
    MatrixXd x;  // one point per row; the last column is 1, so that the last weight is the bias
    VectorXd y;  // +1 or -1
};

// Points on both sides of the plane w'x = 0, a share `wrong` of them with the label of the other side.
Points draw(VectorXd const& plane, int count, double wrong, std::mt19937& random) {
    std::normal_distribution<double> normal;
    std::bernoulli_distribution mistake(wrong);
    Points points{MatrixXd(count, plane.size()), VectorXd(count)};
    for (double& value : points.x.reshaped()) value = normal(random);
    points.x.rightCols<1>().setOnes();
    points.y = (points.x * plane).array().sign();
    for (double& label : points.y) {
        if (mistake(random)) label = -label;
    }
    return points;
}

// The loss at w, and its gradient: the mean of -y sigmoid(-y w'x) x.
double loss(Points const& points, VectorXd const& w, VectorXd& gradient) {
    auto const count = static_cast<double>(points.y.size());
    const Eigen::ArrayXd margin = points.y.array() * (points.x * w).array();
    const Eigen::ArrayXd doubt = 1 / (1 + margin.exp());  // sigmoid(-margin)
    gradient = -points.x.transpose() * (points.y.array() * doubt).matrix() / count;
    return (-margin).exp().log1p().sum() / count;
}

double accuracy(Points const& points, VectorXd const& w) {
    return ((points.x * w).array() * points.y.array() > 0).cast<double>().mean();
}

int main() {
    std::mt19937 random(7);
    std::normal_distribution<double> normal;
    VectorXd plane(21);
    for (double& value : plane) value = normal(random);
    const Points seen = draw(plane, 300, 0.1, random);
    const Points unseen = draw(plane, 2000, 0.0, random);

    VectorXd w = VectorXd::Zero(plane.size());
    polder::FSAM optimizer{polder::Adam{.learning_rate = 0.05}, {.rho = 0.1}};
    for (int step = 1; step <= 200; ++step) {
        const polder::Report report = optimizer.step(
            w, [&](VectorXd const& at, VectorXd& gradient) { return loss(seen, at, gradient); });
        if (step == 1 || step % 50 == 0) {
            std::printf("step %3d: loss %.3f, %.1f %% of the unseen points are on the right side\n",
                        step, report.loss, 100 * accuracy(unseen, w));
        }
    }
    const double cosine = w.normalized().dot(plane.normalized());
    std::printf("between the true plane and ours: %.0f degrees\n",
                std::acos(cosine) * 180 / std::numbers::pi);
    return accuracy(unseen, w) > 0.9 ? 0 : 1;
}
