/// Stochastic gradient descent with PyTorch's semantics.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>

#include <polder/base/penalised.hpp>
#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>

namespace polder {

/// h = u + weight_decay x   (u, x: gradient and parameter, one coordinate; -u with maximize)
/// momentum = 0:   x <- x - learning_rate h
/// otherwise:      b_1 = h,   b_k = momentum b_{k-1} + (1 - dampening) h
///                 x <- x - learning_rate b_k
///       nesterov: x <- x - learning_rate (h + momentum b_k)
/// torch.optim.SGD of PyTorch 1.13. State: none, or b with momentum.
struct SGD {
    double learning_rate = 1e-3;  ///< >= 0
    double momentum = 0;          ///< >= 0
    double dampening = 0;         ///< finite; 0 with nesterov
    double weight_decay = 0;      ///< >= 0
    bool nesterov = false;        ///< needs momentum > 0 and dampening = 0
    bool maximize = false;        ///< ascend instead of descend

    static constexpr std::string_view name = "SGD";

    /// Throws std::invalid_argument that names the hyper-parameter which is out of range.
    void validate() const {
        require_non_negative("SGD.learning_rate", learning_rate);
        require_non_negative("SGD.momentum", momentum);
        require_non_negative("SGD.weight_decay", weight_decay);
        if (!std::isfinite(dampening))
            detail::refuse("SGD.dampening", dampening, "a finite number");
        if (nesterov && momentum == 0) {
            detail::refuse("SGD.momentum", momentum, "a number > 0, since nesterov is set");
        }
        if (nesterov && dampening != 0) {
            detail::refuse("SGD.dampening", dampening, "0, since nesterov is set");
        }
    }

    /// With momentum = 0.
    static constexpr std::array<std::string_view, 0> state_names{};
    template <class T>
    struct Rule {
        detail::Penalised<T> penalised;
        T learning_rate;
        template <class V>
        POLDER_INLINE V operator()(V x, V h, std::array<V, 0>&) const {
            return x - learning_rate * h;
        }
    };
    template <class T>
    POLDER_HOST_DEVICE Rule<T> rule(double) const {
        return {{T(weight_decay), T(maximize ? -1 : 1)}, T(learning_rate)};
    }

    struct HeavyBall;
    struct Nesterov;
    /// f(the form of SGD that the options ask for).
    template <class F>
    POLDER_HOST_DEVICE decltype(auto) with_form(F const& f) const;
};

/// With momentum.
struct SGD::HeavyBall : SGD {
    static constexpr std::array<std::string_view, 1> state_names{"momentum_buffer"};
    static constexpr int first_moment = 0;
    template <class T>
    struct Rule {
        detail::Penalised<T> penalised;
        T learning_rate, momentum, gain;
        template <class V>
        POLDER_INLINE V operator()(V x, V h, std::array<V, 1>& state) const {
            auto& [b] = state;
            b = momentum * b + gain * h;
            return x - learning_rate * b;
        }
    };
    template <class T>
    POLDER_HOST_DEVICE Rule<T> rule(double k) const {
        // PyTorch does not dampen the first step.
        return {{T(weight_decay), T(maximize ? -1 : 1)},
                T(learning_rate),
                T(momentum),
                T(k == 1 ? 1 : 1 - dampening)};
    }
};

/// With momentum, looking ahead.
struct SGD::Nesterov : SGD {
    static constexpr std::array<std::string_view, 1> state_names{"momentum_buffer"};
    static constexpr int first_moment = 0;
    template <class T>
    struct Rule {
        detail::Penalised<T> penalised;
        T learning_rate, momentum;
        template <class V>
        POLDER_INLINE V operator()(V x, V h, std::array<V, 1>& state) const {
            auto& [b] = state;
            b = momentum * b + h;
            return x - learning_rate * (h + momentum * b);
        }
    };
    template <class T>
    POLDER_HOST_DEVICE Rule<T> rule(double) const {
        return {{T(weight_decay), T(maximize ? -1 : 1)}, T(learning_rate), T(momentum)};
    }
};

template <class F>
POLDER_HOST_DEVICE decltype(auto) SGD::with_form(F const& f) const {
    if (momentum == 0) return f(*this);
    if (nesterov) return f(Nesterov{*this});
    return f(HeavyBall{*this});
}

}  // namespace polder
