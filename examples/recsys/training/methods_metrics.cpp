// Balls that scale with the parameters or with the Fisher metric, and those of which only part moves.
#include <string>
#include <utility>

#include <polder/methods/asam.hpp>
#include <polder/methods/fisher_sam.hpp>
#include <polder/methods/ssam.hpp>

#include "recsys/training/methods.hpp"

namespace polder::recsys::detail::POLDER_METHODS_NAMESPACE {

namespace {

template <class Estimate = BatchFisher, class Norm = MetricNorm>
std::unique_ptr<AnyOptimizer> fisher(Composer& c, Estimate estimate = {}) {
    FisherSAMOptions const o;
    FisherBall<Estimate, Norm> ball{};
    ball.rho = c.number("rho", o.rho);
    ball.eta = c.number("eta", o.eta);
    ball.damping = c.number("damping", o.damping);
    ball.estimate = std::move(estimate);
    c.take_exempt();
    return c(ball);
}

int whole(Composer& c, std::string_view name, int by_default) {
    return static_cast<int>(c.options.whole(name, static_cast<std::uint64_t>(by_default)));
}

template <class Mask>
std::unique_ptr<AnyOptimizer> masked(Composer& c, Mask mask) {
    SSAMOptions const o;
    mask.sparsity = c.number("sparsity", mask.sparsity);
    mask.refresh_epochs = c.options.whole("refresh_epochs", mask.refresh_epochs);
    return c(Masked<EuclideanBall, Mask>{{c.number("rho", o.rho), o.norm_guard}, mask});
}

}  // namespace

std::span<Method const> methods_of_metrics() {
    static constexpr Method methods[] = {
        {"asam", true,
         "eps = rho T^2 g / |T g|_2, T = |x| + eta (1 in the blocks that are exempt), u = s",
         "Kwon et al. 2021, Algorithm 1",
         [](Composer& c) {
             ASAMOptions const o;
             AdaptiveBall const ball{c.number("rho", o.rho), c.number("eta", o.eta)};
             c.take_exempt();
             return c(ball);
         }},
        {"fisher_sam", true, "eps = rho F^-1 g / sqrt(g' F^-1 g), F = damping + eta g^2, u = s",
         "Kim et al. 2022", [](Composer& c) { return fisher(c); }},
        {"fisher_sam_running", true, "as fisher_sam, F of a moving average of g^2",
         "Kim et al. 2022",
         [](Composer& c) {
             RunningFisher estimate;
             estimate.decay = c.number("decay", estimate.decay);
             return fisher(c, estimate);
         }},
        {"fisher_sam_samples", true,
         "as fisher_sam, F of the mean of the squared gradients of single rows of the batch",
         "Kim et al. 2022",
         [](Composer& c) {
             SampleFisher estimate;
             estimate.samples = whole(c, "samples", 3);
             return fisher(c, estimate);
         }},
        {"fisher_sam_blocks", true, "as fisher_sam, the root over each parameter matrix by itself",
         "Kim et al. 2022, as a public implementation has it",
         [](Composer& c) { return fisher<BatchFisher, MetricNormPerBlock>(c); }},
        {"fisher_sam_euclidean", true, "eps = rho w / |w|_2, w = F^-1 g, u = s",
         "Kim et al. 2022, as a public implementation has it",
         [](Composer& c) { return fisher<BatchFisher, EuclideanNorm>(c); }},
        {"ssam_f", true,
         "eps = SAM's where the squared gradients of single rows are largest, 0 elsewhere, u = s",
         "Mi et al. 2022, SSAM-F",
         [](Composer& c) {
             FisherMask mask;
             mask.samples = whole(c, "samples", mask.samples);
             return masked(c, mask);
         }},
        {"ssam_d", true,
         "eps = SAM's where M = 1, 0 elsewhere; M drops and grows every few epochs, u = s",
         "Mi et al. 2022, SSAM-D",
         [](Composer& c) {
             DynamicMask mask;
             auto& o = c.options;
             std::vector<std::string> const scores{"gradient", "weight", "random"};
             std::vector<std::string> const growths{"random", "gradient", "weight"};
             mask.drop_rate = o.number("drop_rate", mask.drop_rate);
             mask.drop = std::array{Score::gradient, Score::weight,
                                    Score::random}[o.choice("drop", scores)];
             mask.growth = std::array{Score::random, Score::gradient,
                                      Score::weight}[o.choice("growth", growths)];
             mask.first_epoch = o.whole("first_epoch", mask.first_epoch);
             mask.last_epoch = o.whole("last_epoch", mask.last_epoch);
             mask.seed = o.whole("mask_seed", mask.seed);
             return masked(c, mask);
         }},
    };
    return methods;
}

}  // namespace polder::recsys::detail::POLDER_METHODS_NAMESPACE
