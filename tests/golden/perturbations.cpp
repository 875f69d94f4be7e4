// Single perturbations.

#include "golden/replay.hpp"

namespace {

using namespace polder;
using namespace golden::GOLDEN_DEVICE;

template <class Ball>
void check(Ball const& ball, bool exempt, nlohmann::json const& expected,
           std::vector<golden::Tensor> const& tensors, std::vector<double> const& w,
           std::vector<double> const& g, double tolerance) {
    using Tensors = Arena<double>;
    Sharpness optimizer{ball, NoDistance{}, NoMix{}, SGD{}};
    Tensors x = arena_of<double>(tensors);
    Tensors eps = x;
    copy_in(w, x);
    if (exempt) exempt_biases(optimizer, x, tensors);
    optimizer.perturbation(
        x,
        [&](Tensors const&, Tensors& gradient) {
            copy_in(g, gradient);
            return 0.0;
        },
        eps);
    std::vector<double> found(w.size());
    copy_out(eps, found);
    golden::check_vector("eps", found, golden::numbers(expected.at("eps"), "eps"), tolerance);
}

}  // namespace

void golden::GOLDEN_DEVICE::check_perturbation(std::string const& method, json const& expected,
                                               std::vector<Tensor> const& tensors,
                                               std::vector<double> const& w,
                                               std::vector<double> const& g, double tolerance) {
    const double rho = expected.at("rho"), eta = expected.value("eta", 0.0);
    const auto run = [&](auto const& ball, bool exempt = false) {
        check(ball, exempt, expected, tensors, w, g, tolerance);
    };
    constexpr std::string_view guarded = "sam_norm_eps_";
    if (method.starts_with(guarded)) {
        run(EuclideanBall{rho, std::stod(method.substr(guarded.size()))});
    } else if (method == "sam_gc") {
        run(Centralised<EuclideanBall>{{rho}});
    } else if (method == "asam_samsung") {
        run(AdaptiveBall{rho, eta, 1e-16}, true);
    } else if (method == "asam_davda54") {
        run(AdaptiveBall{rho, 0});
    } else if (method == "fisher_sam") {
        run(FisherBall<>{rho, eta});
    } else if (method == "fisher_sam_per_tensor") {
        run(FisherBall<BatchFisher, MetricNormPerBlock>{rho, eta});
    } else {
        throw NotBuilt{"method " + method};
    }
}
