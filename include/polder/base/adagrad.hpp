/// Adagrad with PyTorch's semantics.
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
/// S_k = S_{k-1} + h^2,   S_0 = initial_accumulator_value
/// x <- x - learning_rate / (1 + (k - 1) learning_rate_decay) h / (sqrt(S_k) + eps)
/// Duchi, Hazan and Singer 2011; torch.optim.Adagrad of PyTorch 1.13. State: S.
struct Adagrad {
    double learning_rate = 0.01;           ///< >= 0
    double learning_rate_decay = 0;        ///< >= 0
    double weight_decay = 0;               ///< >= 0
    double initial_accumulator_value = 0;  ///< >= 0
    double eps = 1e-10;                    ///< >= 0
    bool maximize = false;                 ///< ascend instead of descend

    static constexpr std::string_view name = "Adagrad";

    /// Throws std::invalid_argument that names the hyper-parameter which is out of range.
    void validate() const {
        require_non_negative("Adagrad.learning_rate", learning_rate);
        require_non_negative("Adagrad.learning_rate_decay", learning_rate_decay);
        require_non_negative("Adagrad.weight_decay", weight_decay);
        require_non_negative("Adagrad.initial_accumulator_value", initial_accumulator_value);
        require_non_negative("Adagrad.eps", eps);
    }

    /// Names of the state arrays, in the order in which an update takes them.
    std::span<std::string_view const> state_names() const {
        static constexpr std::array<std::string_view, 1> names{"sum"};
        return names;
    }

    /// What the state arrays hold before the first step.
    double initial_state() const { return initial_accumulator_value; }

    template <class T>
    struct Accumulated {
        T rate, weight_decay, sign, eps;
        POLDER_HOST_DEVICE T operator()(T x, T u, T& s) const {
            const T h = sign * u + weight_decay * x;
            s = s + h * h;
            return x - rate * (h / (std::sqrt(s) + eps));
        }
    };

    /// Calls f(update), the update of one coordinate in step k = 1, 2, ...
    template <class T, class F>
    POLDER_HOST_DEVICE void with_update(std::uint64_t k, F const& f) const {
        const double rate = learning_rate / (1 + static_cast<double>(k - 1) * learning_rate_decay);
        f(Accumulated<T>{T(rate), T(weight_decay), T(maximize ? -1 : 1), T(eps)});
    }
};

}  // namespace polder
