// Logistic regression on a function with ensmallen's interface: which of two groups does a point belong to, if one label in
// five of the points that we learn from is wrong and there are few of them?
//
// SAM over Adam, and for comparison Adam: ens::Adam where ensmallen is found, else polder's. One line differs.
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <utility>

#include <armadillo>
#ifdef POLDER_ENSMALLEN
#include <ensmallen.hpp>
#endif

#include <polder/ensmallen.hpp>
#include <polder/polder.hpp>

struct Points {
    arma::mat x;     // one point per column; the last row is 1, so that the last weight is the bias
    arma::rowvec y;  // +1 or -1
};

// Points on both sides of the plane w'x = 0, a share `wrong` of them with the label of the other side.
Points draw(arma::vec const& plane, arma::uword count, double wrong) {
    Points points{arma::randn(plane.n_elem, count), {}};
    points.x.row(plane.n_elem - 1).ones();
    points.y = arma::sign(plane.t() * points.x);
    points.y(arma::find(arma::randu(count) < wrong)) *= -1;
    return points;
}

// The sum over the points of log(1 + exp(-y w'x)), as ensmallen asks for it.
class LogisticLoss {
public:
    explicit LogisticLoss(Points points) : points_(std::move(points)) {}

    std::size_t NumFunctions() const { return points_.x.n_cols; }
    void Shuffle() {
        const arma::uvec order = arma::randperm(points_.x.n_cols);
        points_ = {points_.x.cols(order), points_.y.cols(order)};
    }
    double Evaluate(arma::mat const& w, std::size_t begin, std::size_t size) const {
        const arma::rowvec m = margin(w, begin, size);  // log(1 + exp(-m)), which must not overflow
        return arma::accu(arma::clamp(-m, 0, arma::datum::inf) +
                          arma::log1p(arma::exp(-arma::abs(m))));
    }
    void Gradient(arma::mat const& w, std::size_t begin, arma::mat& gradient,
                  std::size_t size) const {
        const std::size_t end = begin + size - 1;
        const arma::rowvec doubt = 1 / (1 + arma::exp(margin(w, begin, size)));
        gradient = -points_.x.cols(begin, end) * (points_.y.cols(begin, end) % doubt).t();
    }

private:
    arma::rowvec margin(arma::mat const& w, std::size_t begin, std::size_t size) const {
        const std::size_t end = begin + size - 1;
        return points_.y.cols(begin, end) % (w.t() * points_.x.cols(begin, end));
    }
    Points points_;
};

// The share of unseen points that are on the right side after training, in per cent; mean of five seeds.
template <class Optimizer>
double accuracy(Optimizer optimizer) {
    double sum = 0;
    for (int seed = 1; seed <= 5; ++seed) {
        arma::arma_rng::set_seed(static_cast<arma::arma_rng::seed_type>(seed));
        const arma::vec plane = arma::randn(101);
        LogisticLoss loss(draw(plane, 200, 0.2));
        const Points unseen = draw(plane, 5000, 0);
        arma::mat w(plane.n_elem, 1, arma::fill::zeros);
        optimizer.Optimize(loss, w);
        sum += arma::mean(arma::conv_to<arma::rowvec>::from(w.t() * unseen.x % unseen.y > 0));
    }
    return 100 * sum / 5;
}

int main() {
    // The radius was chosen on other seeds.
    const double sam = accuracy(
        polder::Ensmallen{polder::SAM{polder::Adam{.learning_rate = 0.05}, {.rho = 64}}, 20, 100});
    std::printf("SAM over Adam: %.1f %% of the unseen points are on the right side\n", sam);
#ifdef POLDER_ENSMALLEN
    // ensmallen divides the step size by the batch size, so this is the same rate.
    const double adam = accuracy(ens::Adam(20 * 0.05, 20, 0.9, 0.999, 1e-8, 100 * 200));
#else
    const double adam =
        accuracy(polder::Ensmallen{polder::Plain{polder::Adam{.learning_rate = 0.05}}, 20, 100});
#endif
    std::printf("Adam:          %.1f %%\n", adam);
    return sam > adam + 1 ? 0 : 1;
}
