/// Factors over the steps, for learning rates and radii.
///
/// A schedule is anything that can be called as double(std::uint64_t t), where t = 0, 1, ... is the step. The hyper-parameter in
/// step t is its value times schedule(t). Here are the common schedules, and product(a, b) of two of them. For others use
/// a lambda.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include <polder/hyper_parameter.hpp>

namespace polder::schedules {

/// Throws std::invalid_argument if the schedule has arguments, and one of them is out of range.
template <class Schedule>
void validate(Schedule const& schedule) {
    if constexpr (requires { schedule.validate(); }) schedule.validate();
}
namespace detail {

inline void require_steps(char const* name, std::uint64_t steps) {
    if (steps == 0) polder::detail::refuse(name, 0, "a number >= 1");
}

}  // namespace detail

/// 1 at every step: what is scheduled stays as it is.
struct One {
    double operator()(std::uint64_t) const noexcept { return 1; }
};

/// factor^floor(t / every). torch's StepLR, and MMRec's with `every` the batches of an epoch.
struct Step {
    std::uint64_t every = 1;  ///< steps, >= 1
    double factor = 0.1;      ///< >= 0
    void validate() const {
        detail::require_steps("Step.every", every);
        require_non_negative("Step.factor", factor);
    }
    double operator()(std::uint64_t t) const {
        validate();
        return std::pow(factor, static_cast<double>(t / every));
    }
};

/// factor^t.
struct Exponential {
    double factor = 0.999;  ///< >= 0
    void validate() const { require_non_negative("Exponential.factor", factor); }
    double operator()(std::uint64_t t) const {
        validate();
        return std::pow(factor, static_cast<double>(t));
    }
};

/// From 1 at t = 0 along half a cosine to `last` at t = steps, and `last` from there on.
/// Loshchilov and Hutter 2017 (SGDR), eq. (5), without restarts.
struct Cosine {
    std::uint64_t steps = 0;  ///< >= 1, to be given
    double last = 0;          ///< >= 0
    void validate() const {
        detail::require_steps("Cosine.steps", steps);
        require_non_negative("Cosine.last", last);
    }
    double operator()(std::uint64_t t) const {
        validate();
        if (t >= steps) return last;
        double const share = static_cast<double>(t) / static_cast<double>(steps);
        return last + (1 - last) * (1 + std::cos(std::numbers::pi * share)) / 2;
    }
};

/// (t + 1) / steps up to 1: from small to full in `steps` steps.
struct WarmUp {
    std::uint64_t steps = 0;  ///< >= 1, to be given
    void validate() const { detail::require_steps("WarmUp.steps", steps); }
    double operator()(std::uint64_t t) const {
        validate();
        return t + 1 >= steps ? 1 : static_cast<double>(t + 1) / static_cast<double>(steps);
    }
};

/// 1 / (t + 1): the radius rho_0 / t of the convergence theorem. Xu et al. (BSAM), Theorem 3.
struct Inverse {
    double operator()(std::uint64_t t) const noexcept { return 1 / static_cast<double>(t + 1); }
};

/// a(t) b(t).
template <class A, class B>
struct Product {
    A a;
    B b;
    void validate() const {
        schedules::validate(a);
        schedules::validate(b);
    }
    double operator()(std::uint64_t t) const { return a(t) * b(t); }
};
template <class A, class B>
Product<A, B> product(A a, B b) {
    return {a, b};
}

}  // namespace polder::schedules
