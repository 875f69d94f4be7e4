/// Lion: the sign of an average of gradients.
#pragma once

#include <array>
#include <string_view>

#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>

namespace polder {

/// x <- x - learning_rate (sign(beta1 m_{k-1} + (1 - beta1) u) + weight_decay x)
/// m_k = beta2 m_{k-1} + (1 - beta2) u,   m_0 = 0   (u, x: gradient and parameter, one coordinate; -u with maximize)
/// sign(0) = 0. There is no bias correction. Each coordinate moves by the learning rate, so use about a tenth of Adam's.
/// Chen et al. 2023, Algorithm 2. State: m.
struct Lion {
    double learning_rate = 1e-4;  ///< >= 0
    double beta1 = 0.9;           ///< in [0, 1)
    double beta2 = 0.99;          ///< in [0, 1)
    double weight_decay = 0;      ///< >= 0
    bool maximize = false;        ///< ascend instead of descend

    static constexpr std::string_view name = "Lion";

    /// Throws std::invalid_argument that names the hyper-parameter which is out of range.
    void validate() const {
        require_non_negative("Lion.learning_rate", learning_rate);
        require_decay("Lion.beta1", beta1);
        require_decay("Lion.beta2", beta2);
        require_non_negative("Lion.weight_decay", weight_decay);
    }

    static constexpr std::array<std::string_view, 1> state_names{"exp_avg"};
    static constexpr int first_moment = 0;
    template <class T>
    struct Rule {
        T rate, weight_decay, sign, beta1, gain1, beta2, gain2;
        template <class V>
        POLDER_INLINE V operator()(V x, V u, std::array<V, 1>& state) const {
            auto& [m] = state;
            V const h = sign * u;
            V const c = beta1 * m + gain1 * h;
            m = beta2 * m + gain2 * h;
            // Two conditions that do not depend on one another, since compilers vectorise those.
            V const direction = (c > 0 ? T(1) : T(0)) - (c < 0 ? T(1) : T(0));
            return x - rate * (direction + weight_decay * x);
        }
    };
    template <class T>
    POLDER_HOST_DEVICE Rule<T> rule(double) const {
        return {T(learning_rate), T(weight_decay), T(maximize ? -1 : 1), T(beta1),
                T(1 - beta1),     T(beta2),        T(1 - beta2)};
    }
};

}  // namespace polder
