/// Factors over the steps, for learning rates and radii.
///
/// A schedule is anything that can be called as double(std::uint64_t t), where t = 0, 1, ... is the step. The hyper-parameter in
/// step t is its value times schedule(t). Here are the common schedules, and product(a, b) of two of them. For others use
/// a lambda.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace polder::schedules {

/// 1 at every step: what is scheduled stays as it is.
struct One {
    double operator()(std::uint64_t) const noexcept { return 1; }
};

/// factor^floor(t / every). torch's StepLR, and MMRec's with `every` the batches of an epoch.
struct Step {
    std::uint64_t every = 1;  ///< steps, >= 1
    double factor = 0.1;
    double operator()(std::uint64_t t) const noexcept {
        return std::pow(factor, static_cast<double>(t / every));
    }
};

/// factor^t.
struct Exponential {
    double factor = 0.999;
    double operator()(std::uint64_t t) const noexcept {
        return std::pow(factor, static_cast<double>(t));
    }
};

/// From 1 at t = 0 along half a cosine to `last` at t = steps, and `last` from there on.
/// Loshchilov and Hutter 2017 (SGDR), eq. (5), without restarts.
struct Cosine {
    std::uint64_t steps = 1;  ///< >= 1
    double last = 0;
    double operator()(std::uint64_t t) const noexcept {
        if (t >= steps) return last;
        double const share = static_cast<double>(t) / static_cast<double>(steps);
        return last + (1 - last) * (1 + std::cos(std::numbers::pi * share)) / 2;
    }
};

/// (t + 1) / steps up to 1: from small to full in `steps` steps.
struct WarmUp {
    std::uint64_t steps = 1;  ///< >= 1
    double operator()(std::uint64_t t) const noexcept {
        return t + 1 >= steps ? 1 : static_cast<double>(t + 1) / static_cast<double>(steps);
    }
};

/// 1 / (t + 1): the radius rho_0 / t of the convergence theorem. Xu et al. (BSAM), Theorem 3.
struct Inverse {
    double operator()(std::uint64_t t) const noexcept { return 1 / static_cast<double>(t + 1); }
};

/// a(t) b(t).
template <class A, class B>
auto product(A a, B b) {
    return [a, b](std::uint64_t t) { return a(t) * b(t); };
}

}  // namespace polder::schedules
