/// Adam with PyTorch's semantics.
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
/// m_k = beta1 m_{k-1} + (1 - beta1) h,   v_k = beta2 v_{k-1} + (1 - beta2) h^2,   m_0 = v_0 = 0
/// x <- x - learning_rate / (1 - beta1^k) m_k / (sqrt(v_k) / sqrt(1 - beta2^k) + eps)
/// amsgrad: w_k = max(w_{k-1}, v_k) in the place of v_k under the root.
/// Kingma and Ba 2015; torch.optim.Adam of PyTorch 1.13 (eps after the bias-corrected root, weight
/// decay in the gradient). State: m, v, and w with amsgrad.
struct Adam {
    double learning_rate = 1e-3;  ///< >= 0
    double beta1 = 0.9;           ///< in [0, 1)
    double beta2 = 0.999;         ///< in [0, 1)
    double eps = 1e-8;            ///< > 0, also as the scalar of the parameters
    double weight_decay = 0;      ///< >= 0
    bool amsgrad = false;
    bool maximize = false;  ///< ascend instead of descend

    static constexpr std::string_view name = "Adam";

    /// Throws std::invalid_argument that names the hyper-parameter which is out of range.
    void validate() const {
        require_non_negative("Adam.learning_rate", learning_rate);
        require_decay("Adam.beta1", beta1);
        require_decay("Adam.beta2", beta2);
        require_positive("Adam.eps", eps);
        require_non_negative("Adam.weight_decay", weight_decay);
    }
    /// The same for parameters of scalar T.
    template <class T>
    void validate_as() const {
        require_positive_as<T>("Adam.eps", eps);
    }

    /// Without amsgrad.
    static constexpr std::array<std::string_view, 2> state_names{"exp_avg", "exp_avg_sq"};
    static constexpr int first_moment = 0;
    template <class T>
    struct Rule {
        static constexpr bool takes_packs = true;
        detail::Penalised<T> penalised;
        T beta1, gain1, beta2, gain2, rate, root_scale, eps;

        template <class V>
        POLDER_INLINE V operator()(V x, V h, std::array<V, 2>& state) const {
            auto& [m, v] = state;
            advance(h, m, v);
            return move(x, m, v);
        }
        template <class V>
        POLDER_INLINE void advance(V h, V& m, V& v) const {
            m = beta1 * m + gain1 * h;
            v = beta2 * v + gain2 * (h * h);
        }
        template <class V>
        POLDER_INLINE V move(V x, V m, V v) const {
            return x - rate * m / (square_root(v) * root_scale + eps);
        }
    };
    template <class T>
    POLDER_HOST_DEVICE Rule<T> rule(double k) const {
        double const rate = learning_rate / (1 - std::pow(beta1, k));
        double const root_scale = 1 / std::sqrt(1 - std::pow(beta2, k));
        return {{T(weight_decay), T(maximize ? -1 : 1)},
                T(beta1),
                T(1 - beta1),
                T(beta2),
                T(1 - beta2),
                T(rate),
                T(root_scale),
                T(eps)};
    }

    struct Amsgrad;
    /// f(the form of Adam that the options ask for).
    template <class F>
    POLDER_HOST_DEVICE decltype(auto) with_form(F const& f) const;
};

/// With amsgrad.
struct Adam::Amsgrad : Adam {
    static constexpr std::array<std::string_view, 3> state_names{"exp_avg", "exp_avg_sq",
                                                                 "max_exp_avg_sq"};
    template <class T>
    struct Rule {
        static constexpr bool takes_packs = true;
        detail::Penalised<T> penalised;
        Adam::Rule<T> adam;
        template <class V>
        POLDER_INLINE V operator()(V x, V h, std::array<V, 3>& state) const {
            auto& [m, v, w] = state;
            adam.advance(h, m, v);
            w = w < v ? v : w;
            return adam.move(x, m, w);
        }
    };
    template <class T>
    POLDER_HOST_DEVICE Rule<T> rule(double k) const {
        auto const adam = Adam::rule<T>(k);
        return {adam.penalised, adam};
    }
};

template <class F>
POLDER_HOST_DEVICE decltype(auto) Adam::with_form(F const& f) const {
    if (amsgrad) return f(Amsgrad{*this});
    return f(*this);
}

}  // namespace polder
