/// RMSprop with PyTorch's semantics.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>

#include <polder/base/penalised.hpp>
#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/pack.hpp>

namespace polder {

/// h = u + weight_decay x   (u, x: gradient and parameter, one coordinate; -u with maximize)
/// v <- alpha v + (1 - alpha) h^2,   v_0 = 0
/// plain:      r = h / (sqrt(v) + eps)
/// centered:   a <- alpha a + (1 - alpha) h,   r = h / (sqrt(v - a^2) + eps)
/// momentum:   b <- momentum b + r,   x <- x - learning_rate b;   without: x <- x - learning_rate r
/// Tieleman and Hinton 2012; torch.optim.RMSprop of PyTorch 1.13 (eps outside the root, no bias
/// correction). State: v, then a with centered, then b with momentum.
struct RMSprop {
    double learning_rate = 0.01;  ///< >= 0
    double alpha = 0.99;          ///< in [0, 1)
    double eps = 1e-8;            ///< > 0, also as the scalar of the parameters
    double weight_decay = 0;      ///< >= 0
    double momentum = 0;          ///< >= 0
    bool centered = false;
    bool maximize = false;  ///< ascend instead of descend

    static constexpr std::string_view name = "RMSprop";

    /// Throws std::invalid_argument that names the hyper-parameter which is out of range.
    void validate() const {
        require_non_negative("RMSprop.learning_rate", learning_rate);
        require_decay("RMSprop.alpha", alpha);
        require_positive("RMSprop.eps", eps);
        require_non_negative("RMSprop.weight_decay", weight_decay);
        require_non_negative("RMSprop.momentum", momentum);
    }
    /// The same for parameters of scalar T.
    template <class T>
    void validate_as() const {
        require_positive_as<T>("RMSprop.eps", eps);
    }

    /// `central`: centered; `heavy`: with momentum.
    template <bool central, bool heavy>
    struct Form;
    /// f(the form of RMSprop that the options ask for).
    template <class F>
    POLDER_HOST_DEVICE decltype(auto) with_form(F const& f) const;
};

template <bool central, bool heavy>
struct RMSprop::Form : RMSprop {
    static constexpr std::size_t states = 1 + (central ? 1 : 0) + (heavy ? 1 : 0);
    static constexpr std::array<std::string_view, states> state_names = [] {
        std::array<std::string_view, states> names{"square_avg"};
        if (central) names[1] = "grad_avg";
        if (heavy) names[states - 1] = "momentum_buffer";
        return names;
    }();
    static constexpr int first_moment = heavy ? static_cast<int>(states) - 1 : -1;

    template <class T>
    struct Rule {
        static constexpr bool takes_packs = true;
        detail::Penalised<T> penalised;
        T rate, alpha, gain, eps, momentum;

        template <class V>
        POLDER_INLINE V operator()(V x, V h, std::array<V, states>& state) const {
            V& v = state[0];
            v = alpha * v + gain * (h * h);
            V r;
            if constexpr (central) {
                V& a = state[1];
                a = alpha * a + gain * h;
                V const variance = v - a * a;  // rounding may make it negative
                r = h / (square_root(variance < 0 ? V{} : variance) + eps);
            } else {
                r = h / (square_root(v) + eps);
            }
            if constexpr (heavy) {
                V& b = state[states - 1];
                b = momentum * b + r;
                return x - rate * b;
            } else {
                return x - rate * r;
            }
        }
    };
    template <class T>
    POLDER_HOST_DEVICE Rule<T> rule(double) const {
        return {{T(weight_decay), T(maximize ? -1 : 1)},
                T(learning_rate),
                T(alpha),
                T(1 - alpha),
                T(eps),
                T(momentum)};
    }
};

template <class F>
POLDER_HOST_DEVICE decltype(auto) RMSprop::with_form(F const& f) const {
    if (centered && momentum > 0) return f(Form<true, true>{*this});
    if (centered) return f(Form<true, false>{*this});
    if (momentum > 0) return f(Form<false, true>{*this});
    return f(Form<false, false>{*this});
}

}  // namespace polder
