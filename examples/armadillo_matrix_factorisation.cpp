// Matrix factorisation with Armadillo guesses the ratings that nobody gave.
//
// A hundred people rate eighty films, each a fifth of them. A rating is explained by a few traits of the
// film and how much the person cares for each: R is about P'F, where P (traits x people) and
// F (traits x films) are learnt from the known ratings by
//
//     loss = sum over known (r - p'f)^2 / known + decay (|P|^2 + |F|^2) / known
#include <cmath>
#include <cstdio>
#include <tuple>

#include <armadillo>

#include <polder/polder.hpp>

constexpr arma::uword people = 100, films = 80, traits = 3;
constexpr double noise = 0.3;  // standard deviation of a rating around what its traits explain
constexpr double decay = 0.1;

using Factors = std::tuple<arma::mat, arma::mat>;  // P, F

double loss(arma::mat const& ratings, arma::mat const& known, Factors const& factors,
            Factors& gradient) {
    auto const& [P, F] = factors;
    auto& [dP, dF] = gradient;
    const double count = arma::accu(known);
    const arma::mat error = known % (P.t() * F - ratings);  // % multiplies element by element
    dP = 2 * (F * error.t() + decay * P) / count;
    dF = 2 * (P * error + decay * F) / count;
    return (arma::accu(error % error) + decay * (arma::accu(P % P) + arma::accu(F % F))) / count;
}

// Root of the mean squared error over the ratings that `which` marks with ones.
double error_of(arma::mat const& guess, arma::mat const& ratings, arma::mat const& which) {
    return std::sqrt(arma::accu(which % arma::square(guess - ratings)) / arma::accu(which));
}

int main() {
    arma::arma_rng::set_seed(11);
    const arma::mat ratings = arma::randn(traits, people).t() * arma::randn(traits, films) +
                              noise * arma::randn(people, films);
    const arma::mat known = arma::conv_to<arma::mat>::from(arma::randu(people, films) < 0.2);
    const arma::mat hidden = 1 - known;

    Factors factors{0.1 * arma::randn(traits, people), 0.1 * arma::randn(traits, films)};
    auto const& [P, F] = factors;
    std::printf("before training: hidden ratings are missed by %.2f\n",
                error_of(P.t() * F, ratings, hidden));
    polder::SAM optimizer{polder::Adam{.learning_rate = 0.02}, {.rho = 0.05}};
    for (int step = 1; step <= 600; ++step) {
        optimizer.step(factors, [&](Factors const& at, Factors& gradient) {
            return loss(ratings, known, at, gradient);
        });
        if (step % 100 == 0) {
            const arma::mat guess = P.t() * F;
            std::printf("step %d: known ratings are missed by %.2f, hidden ones by %.2f\n", step,
                        error_of(guess, ratings, known), error_of(guess, ratings, hidden));
        }
    }
    std::printf("nobody can do better than the noise: %.2f\n", noise);
    return error_of(P.t() * F, ratings, hidden) < 1.5 * noise ? 0 : 1;
}
