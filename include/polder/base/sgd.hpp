/// Stochastic gradient descent with PyTorch's semantics.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string_view>

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

    /// Names of the state arrays, in the order in which an update takes them.
    std::span<std::string_view const> state_names() const {
        static constexpr std::array<std::string_view, 1> names{"momentum_buffer"};
        return std::span(names).first(momentum == 0 ? 0 : 1);
    }

    template <class T>
    struct Descent {
        T learning_rate, weight_decay, sign;
        POLDER_HOST_DEVICE T operator()(T x, T u) const {
            const T h = sign * u + weight_decay * x;
            return x - learning_rate * h;
        }
    };

    template <class T>
    struct HeavyBall {
        T learning_rate, weight_decay, sign, momentum, gain;
        POLDER_HOST_DEVICE T operator()(T x, T u, T& b) const {
            const T h = sign * u + weight_decay * x;
            b = momentum * b + gain * h;
            return x - learning_rate * b;
        }
    };

    template <class T>
    struct Nesterov {
        T learning_rate, weight_decay, sign, momentum, gain;
        POLDER_HOST_DEVICE T operator()(T x, T u, T& b) const {
            const T h = sign * u + weight_decay * x;
            b = momentum * b + gain * h;
            return x - learning_rate * (h + momentum * b);
        }
    };

    /// Calls f(update), the update of one coordinate in step k = 1, 2, ...
    template <class T, class F>
    POLDER_HOST_DEVICE void with_update(std::uint64_t k, F const& f) const {
        const T rate = T(learning_rate), decay = T(weight_decay), sign = T(maximize ? -1 : 1);
        const T gain = T(k == 1 ? 1 : 1 - dampening);  // PyTorch does not dampen the first step
        if (momentum == 0) {
            f(Descent<T>{rate, decay, sign});
        } else if (nesterov) {
            f(Nesterov<T>{rate, decay, sign, T(momentum), gain});
        } else {
            f(HeavyBall<T>{rate, decay, sign, T(momentum), gain});
        }
    }
};

}  // namespace polder
