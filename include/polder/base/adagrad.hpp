/// Adagrad with PyTorch's semantics.
#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include <polder/base/penalised.hpp>
#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/pack.hpp>

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
    double eps = 1e-10;                    ///< > 0, also as the scalar of the parameters
    bool maximize = false;                 ///< ascend instead of descend

    static constexpr std::string_view name = "Adagrad";

    /// Throws std::invalid_argument that names the hyper-parameter which is out of range.
    void validate() const {
        require_non_negative("Adagrad.learning_rate", learning_rate);
        require_non_negative("Adagrad.learning_rate_decay", learning_rate_decay);
        require_non_negative("Adagrad.weight_decay", weight_decay);
        require_non_negative("Adagrad.initial_accumulator_value", initial_accumulator_value);
        require_positive("Adagrad.eps", eps);
    }
    /// The same for parameters of scalar T.
    template <class T>
    void validate_as() const {
        require_positive_as<T>("Adagrad.eps", eps);
    }

    static constexpr std::array<std::string_view, 1> state_names{"sum"};
    /// What the state holds before the first step.
    double initial_state() const { return initial_accumulator_value; }

    template <class T>
    struct Rule {
        static constexpr bool takes_packs = true;
        detail::Penalised<T> penalised;
        T rate, eps;
        template <class V>
        POLDER_INLINE V operator()(V x, V h, std::array<V, 1>& state) const {
            auto& [s] = state;
            s = s + h * h;
            return x - rate * (h / (square_root(s) + eps));
        }
    };
    template <class T>
    POLDER_HOST_DEVICE Rule<T> rule(double k) const {
        double const rate = learning_rate / (1 + (k - 1) * learning_rate_decay);
        return {{T(weight_decay), T(maximize ? -1 : 1)}, T(rate), T(eps)};
    }
};

}  // namespace polder
