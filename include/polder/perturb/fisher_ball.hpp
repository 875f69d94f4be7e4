/// The worst-case move in a ball of the Fisher metric.
///
/// The metric is diagonal: F = damping + eta f, where f >= 0 estimates the squared gradient:
///   BatchFisher          f = g^2, g the gradient of the batch
///   RunningFisher        f a moving average of g^2
///   SampleFisher         f the mean of squared gradients of single samples
/// and the length of the move is measured by
///   MetricNorm           sqrt(eps' F eps) = rho
///   MetricNormPerBlock   the same in each block by itself
///   EuclideanNorm        ||eps||_2 = rho
#pragma once

#include <cmath>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/perturb/move.hpp>
#include <polder/perturb/samples.hpp>
#include <polder/policy_name.hpp>

namespace polder {

/// f = g^2.
struct BatchFisher {
    static constexpr std::string_view name = "BatchFisher";
    void validate() const {}
    template <class V>
    POLDER_INLINE static V estimate(V g) {
        return g * g;
    }
    template <class R, class State, class Before>
    auto reads(R&, State const&, Before const&, ArrayId, Gradient const& g) const {
        return std::tuple{ArrayId(g)};
    }
};

/// f_t = decay f_{t-1} + (1 - decay) g_t^2,   f_0 = g_0^2,   g_t = grad L_B1(x): of several ascents all have the f_t of
/// their step. Costs a pass of its own.
struct RunningFisher {
    double decay = 0.9;  ///< in [0, 1)

    static constexpr std::string_view name = "RunningFisher";
    void validate() const { require_decay("decay", decay); }
    template <class V>
    POLDER_INLINE static V estimate(V f) {
        return f;
    }
    Succession init(Plan& plan) const { return plan.succession("fisher"); }
    template <class R, class Before>
    auto reads(R& run, Succession const& f, Before const&, ArrayId at, Gradient const& g) const {
        if (at.id != run.x().array.id) return std::tuple{f.next};
        ArrayId const next = run.next(f);
        run.map(Average{decay}, g, f.now, Written{next});
        return std::tuple{next};
    }

    // The passes. (Public, since nvcc accepts no private type in a kernel.)

    struct Average {
        double decay;
        template <class T>
        struct At {
            T decay, gain;
            template <class V>
            POLDER_INLINE void operator()(V g, V f, V& next) const {
                next = decay * f + gain * (g * g);
            }
        };
        template <class T>
        POLDER_HOST_DEVICE At<T> at(Site<T> const& here) const {
            double const own = here.method_steps == 0 ? 0 : decay;
            return {T(own), T(1 - own)};
        }
    };
};

/// f = mean over k of (gradient of the loss of sample k of the batch)^2. One more evaluation for each sample
/// (Pass::sample), before all others of the step.
struct SampleFisher {
    int samples = 1;  ///< how many samples of the batch, >= 1; may be changed between steps

    static constexpr std::string_view name = "SampleFisher";
    static constexpr bool samples_batch = true;
    void validate() const {
        if (samples < 1) detail::refuse("samples", samples, "a number >= 1");
    }
    template <class V>
    POLDER_INLINE static V estimate(V f) {
        return f;
    }
    ArrayId init(Plan& plan) const { return plan.scratch(); }
    template <class R>
    ArrayId before(R& run, ArrayId f) const {
        detail::add_up_samples(run, samples, 1.0 / samples, f);
        return f;
    }
    template <class R>
    auto reads(R&, ArrayId, ArrayId f, ArrayId, Gradient const&) const {
        return std::tuple{f};
    }
};

/// ||v||^2 = v' F^-1 v.
struct MetricNorm {
    static constexpr std::string_view name = "MetricNorm";
};
/// ||v||^2 = v' F^-1 v + norm_guard over one block.
struct MetricNormPerBlock {
    static constexpr std::string_view name = "MetricNormPerBlock";
};
/// ||v||^2 = v' F^-2 v.
struct EuclideanNorm {
    static constexpr std::string_view name = "EuclideanNorm";
};

/// eps = rho F^-1 v / (||v|| + norm_guard). With MetricNorm it maximises <v, eps> over eps' F eps <= rho^2.
/// With eta = 0 and damping = 1 this is the Euclidean ball. In groups that are not adaptive (Group::adaptive) it is the
/// Euclidean ball, too. Otherwise eps depends on the scale of the loss, unlike SAM's.
/// Kim et al. 2022 (Fisher SAM) with SampleFisher. The public implementations use BatchFisher.
/// eta = 1 and damping = delta give the additive regularisation 1 / (f + delta).
template <class Estimate = BatchFisher, class Norm = MetricNorm>
struct FisherBall {
    double rho = 0.1;           ///< radius, >= 0
    double eta = 1;             ///< weight of the estimate in the metric, >= 0
    double damping = 1;         ///< added to eta f; the metric where f is 0; > 0
    double norm_guard = 1e-12;  ///< added to the norm, >= 0
    Estimate estimate{};

    static constexpr bool per_block = std::is_same_v<Norm, MetricNormPerBlock>;
    using Asked = Estimate;  // for detail::HooksFit
    static std::string name() {
        return "FisherBall<" + policy_name<Estimate>() + ", " + policy_name<Norm>() + ">";
    }

    /// Throws std::invalid_argument that names the hyper-parameter which is out of range.
    void validate() const {
        require_non_negative("rho", rho);
        require_non_negative("eta", eta);
        require_positive("damping", damping);
        require_non_negative("norm_guard", norm_guard);
        estimate.validate();
    }

    /// c = rho / (||v|| + norm_guard), and 0 where both are 0.
    POLDER_HOST_DEVICE double coefficient(double norm) const {
        if constexpr (per_block) norm = std::sqrt(norm * norm + norm_guard);
        return norm + norm_guard > 0 ? rho / (norm + norm_guard) : 0;
    }

    /// Whether it needs gradients of single samples.
    static constexpr bool samples = requires { requires Estimate::samples_batch; };
    auto init(Plan& plan) const { return detail::init_of(estimate, plan); }
    template <class R, class State>
    auto before(R& run, State const& state) const {
        return detail::before_of(run, estimate, state);
    }
    /// The weights are functions of the estimate.
    template <class R, class State, class Before>
    auto reads(R& run, State const& state, Before const& before, ArrayId at,
               Gradient const& g) const {
        return estimate.reads(run, state, before, at, g);
    }
    /// a = F^-1; b = F^-1, or F^-2 with EuclideanNorm.
    template <class T>
    struct Weights {
        T eta, damping;

        template <class V>
        POLDER_INLINE V a(V of) const {
            return 1 / (damping + eta * Estimate::estimate(of));
        }
        template <class V>
        POLDER_INLINE V b(V of) const {
            V const inverse = a(of);
            return std::is_same_v<Norm, EuclideanNorm> ? inverse * inverse : inverse;
        }
    };
    template <class T>
    POLDER_HOST_DEVICE Weights<T> weights(bool adaptive) const {
        return adaptive ? Weights<T>{T(eta), T(damping)} : Weights<T>{0, 1};
    }
};

/// The default form of Fisher SAM.
using FisherEllipsoid = FisherBall<>;

}  // namespace polder
