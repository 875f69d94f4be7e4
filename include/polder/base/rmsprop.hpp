/// RMSprop with PyTorch's semantics.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <string_view>

#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>

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
    double eps = 1e-8;            ///< >= 0
    double weight_decay = 0;      ///< >= 0
    double momentum = 0;          ///< >= 0
    bool centered = false;
    bool maximize = false;  ///< ascend instead of descend

    static constexpr std::string_view name = "RMSprop";

    /// Throws std::invalid_argument that names the hyper-parameter which is out of range.
    void validate() const {
        require_non_negative("RMSprop.learning_rate", learning_rate);
        require_decay("RMSprop.alpha", alpha);
        require_non_negative("RMSprop.eps", eps);
        require_non_negative("RMSprop.weight_decay", weight_decay);
        require_non_negative("RMSprop.momentum", momentum);
    }

    /// Names of the state arrays, in the order in which an update takes them.
    std::span<std::string_view const> state_names() const {
        static constexpr std::array<std::string_view, 3> all{"square_avg", "grad_avg",
                                                             "momentum_buffer"};
        static constexpr std::array<std::string_view, 2> with_momentum{"square_avg",
                                                                       "momentum_buffer"};
        if (centered) return std::span(all).first(momentum > 0 ? 3 : 2);
        return std::span(with_momentum).first(momentum > 0 ? 2 : 1);
    }

    template <class T>
    struct Ratio {
        T rate, weight_decay, sign, alpha, gain, eps, momentum;

        POLDER_HOST_DEVICE T gradient(T x, T u) const { return sign * u + weight_decay * x; }
        POLDER_HOST_DEVICE T plain(T h, T& v) const {
            v = alpha * v + gain * (h * h);
            return h / (std::sqrt(v) + eps);
        }
        POLDER_HOST_DEVICE T central(T h, T& v, T& a) const {
            v = alpha * v + gain * (h * h);
            a = alpha * a + gain * h;
            return h / (std::sqrt(v - a * a) + eps);
        }
    };
    template <class T>
    struct Plain : Ratio<T> {
        POLDER_HOST_DEVICE T operator()(T x, T u, T& v) const {
            return x - this->rate * this->plain(this->gradient(x, u), v);
        }
    };
    template <class T>
    struct Centered : Ratio<T> {
        POLDER_HOST_DEVICE T operator()(T x, T u, T& v, T& a) const {
            return x - this->rate * this->central(this->gradient(x, u), v, a);
        }
    };
    template <class T>
    struct Momentum : Ratio<T> {
        POLDER_HOST_DEVICE T operator()(T x, T u, T& v, T& b) const {
            b = this->momentum * b + this->plain(this->gradient(x, u), v);
            return x - this->rate * b;
        }
    };
    template <class T>
    struct CenteredMomentum : Ratio<T> {
        POLDER_HOST_DEVICE T operator()(T x, T u, T& v, T& a, T& b) const {
            b = this->momentum * b + this->central(this->gradient(x, u), v, a);
            return x - this->rate * b;
        }
    };

    /// Calls f(update), the update of one coordinate in step k = 1, 2, ...
    template <class T, class F>
    POLDER_HOST_DEVICE void with_update(std::uint64_t, F const& f) const {
        const Ratio<T> r{T(learning_rate), T(weight_decay), T(maximize ? -1 : 1), T(alpha),
                         T(1 - alpha),     T(eps),          T(momentum)};
        if (centered && momentum > 0) {
            f(CenteredMomentum<T>{r});
        } else if (centered) {
            f(Centered<T>{r});
        } else if (momentum > 0) {
            f(Momentum<T>{r});
        } else {
            f(Plain<T>{r});
        }
    }
};

}  // namespace polder
