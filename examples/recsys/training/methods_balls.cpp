// SAM, and its ball exchanged for another.
#include <cmath>

#include <polder/methods/sam.hpp>
#include <polder/perturb/centralised.hpp>
#include <polder/perturb/norm_ball.hpp>
#include <polder/perturb/several_ascents.hpp>

#include "recsys/training/methods.hpp"

namespace polder::recsys::detail::POLDER_METHODS_NAMESPACE {

namespace {

EuclideanBall ball(Composer& c) { return {c.number("rho", SAMOptions{}.rho)}; }

}  // namespace

std::span<Method const> methods_of_balls() {
    static constexpr Method methods[] = {
        {"none", true, "u = g: the base optimizer alone", "",
         [](Composer& c) { return c(NoPerturbation{}); }},
        {"sam", true, "eps = rho g / |g|_2, u = s", "Foret et al. 2021, Algorithm 1",
         [](Composer& c) { return c(ball(c)); }},
        {"sam_linf", true, "eps = rho sign g, u = s: SAM in the infinity ball",
         "Foret et al. 2021, eq. (2), p = inf",
         [](Composer& c) { return c(InfinityBall{c.number("rho", InfinityBall{}.rho)}); }},
        {"sam_l1", true, "eps = rho on the largest |g| alone, u = s: SAM in the Manhattan ball",
         "Foret et al. 2021, eq. (2), p = 1",
         [](Composer& c) { return c(ManhattanBall{c.number("rho", ManhattanBall{}.rho)}); }},
        {"sam_lp", true,
         "eps = rho sign g |g|^(q-1) / |g|_q^(q-1), 1/p + 1/q = 1, u = s: SAM in a p-norm ball",
         "Foret et al. 2021, eq. (2)",
         [](Composer& c) {
             PNormBall ball;
             ball.rho = c.number("rho", ball.rho);
             ball.p = c.number("p", 3);
             return c(ball);
         }},
        {"sam_centralised", true, "eps = SAM's without its mean over rows, u = s",
         "Yong et al. 2020", [](Composer& c) { return c(Centralised<EuclideanBall>{ball(c)}); }},
        {"sam_ascents", true,
         "eps in several ascents, each rho g / |g|_2 at the point reached, u = s",
         "Foret et al. 2021, appendix",
         [](Composer& c) {
             SeveralAscents<EuclideanBall> steps{ball(c)};
             auto const n = static_cast<std::uint64_t>(steps.ascents);
             steps.ascents = static_cast<int>(c.options.whole("ascents", n));
             return c(steps);
         }},
    };
    return methods;
}

}  // namespace polder::recsys::detail::POLDER_METHODS_NAMESPACE
