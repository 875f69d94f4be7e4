// SAM on the part of the gradient that an average of past gradients does not have.
#include <string>
#include <vector>

#include <polder/distance/chebyshev.hpp>
#include <polder/distance/cosine.hpp>
#include <polder/distance/euclidean.hpp>
#include <polder/methods/bsam.hpp>
#include <polder/methods/fsam.hpp>

#include "recsys/training/methods.hpp"

namespace polder::recsys::detail::POLDER_METHODS_NAMESPACE {

namespace {

template <class Reference>
std::unique_ptr<AnyOptimizer> friendly(Composer& c) {
    FSAMOptions const o;
    EuclideanBall const ball{c.number("rho", o.rho)};
    Reference reference;
    reference.lambda = c.number("lambda", o.lambda);
    return c(ball, DistanceTo<Reference, Constant>{reference, {c.number("sigma", o.sigma)}});
}

std::unique_ptr<AnyOptimizer> batch_focused(Composer& c) {
    static std::vector<std::string> const distances{
        "manhattan", "manhattan_mean", "euclidean", "chebyshev", "cosine", "constant", "none"};
    BSAMOptions const o;
    EuclideanBall const ball{c.number("rho", o.rho)};
    MovingAverage const average{c.number("lambda", o.lambda)};
    auto const with = [&]<class Measure>(Measure measure) {
        return c(ball, DistanceTo<MovingAverage, Measure>{average, measure});
    };
    switch (c.options.choice("distance", distances)) {
    case 0:
        return with(Manhattan{});
    case 1:
        return with(ManhattanMean{});
    case 2:
        return with(Euclidean{});
    case 3:
        return with(Chebyshev{});
    case 4:
        return with(Cosine{});
    case 5:
        return with(Constant{c.number("sigma", Constant{}.sigma)});
    default:
        average.validate();
        return c(ball);
    }
}

}  // namespace

std::span<Method const> methods_of_distances() {
    static constexpr Method methods[] = {
        {"fsam", true,
         "SAM's eps of v = g - sigma e, e <- lambda e + (1 - lambda) g after this step, u = s",
         "Li et al. 2024, as in their code", &friendly<LaggedAverage>},
        {"fsam_after", true, "as fsam, e moved before it is read, from zero",
         "Li et al. 2024, as in the BSAM paper's text", &friendly<MovingAverage>},
        {"fsam_reduced", true, "as fsam, e an average of v", "pytorch_optimizer's FriendlySAM",
         &friendly<LaggedReducedAverage>},
        {"bsam", true,
         "SAM's eps of v = g - d e, e <- lambda e + (1 - lambda) g, d = distance(g, e), u = s",
         "Xu et al. (BSAM), eq. (9)-(12)", &batch_focused},
    };
    return methods;
}

}  // namespace polder::recsys::detail::POLDER_METHODS_NAMESPACE
