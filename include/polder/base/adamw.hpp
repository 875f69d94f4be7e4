/// AdamW with PyTorch's semantics.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include <polder/base/adam.hpp>
#include <polder/base/penalised.hpp>
#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>

namespace polder {

/// x <- (1 - learning_rate weight_decay) x, and then a step of Adam without weight decay in the
/// gradient. So the decay does not pass through the moments, and follows the learning rate's schedule.
/// Loshchilov and Hutter 2019; torch.optim.AdamW of PyTorch 1.13. State: as Adam.
struct AdamW {
    double learning_rate = 1e-3;  ///< >= 0
    double beta1 = 0.9;           ///< in [0, 1)
    double beta2 = 0.999;         ///< in [0, 1)
    double eps = 1e-8;            ///< > 0, also as the scalar of the parameters
    double weight_decay = 0.01;   ///< >= 0
    bool amsgrad = false;
    bool maximize = false;  ///< ascend instead of descend

    static constexpr std::string_view name = "AdamW";

    /// Throws std::invalid_argument that names the hyper-parameter which is out of range.
    void validate() const {
        require_non_negative("AdamW.learning_rate", learning_rate);
        require_decay("AdamW.beta1", beta1);
        require_decay("AdamW.beta2", beta2);
        require_positive("AdamW.eps", eps);
        require_non_negative("AdamW.weight_decay", weight_decay);
    }
    /// The same for parameters of scalar T.
    template <class T>
    void validate_as() const {
        require_positive_as<T>("AdamW.eps", eps);
    }

    /// A form of Adam whose parameters decay first.
    template <class OfAdam>
    struct Form;
    /// f(the form of AdamW that the options ask for).
    template <class F>
    POLDER_HOST_DEVICE decltype(auto) with_form(F const& f) const;
};

template <class OfAdam>
struct AdamW::Form : AdamW {
    static constexpr auto state_names = OfAdam::state_names;
    static constexpr int first_moment = OfAdam::first_moment;
    template <class T>
    struct Rule {
        static constexpr bool takes_packs = true;
        detail::Penalised<T> penalised;
        typename OfAdam::template Rule<T> adam;
        T decay;
        template <class V, std::size_t n>
        POLDER_INLINE V operator()(V x, V h, std::array<V, n>& state) const {
            return adam(decay * x, h, state);
        }
    };
    template <class T>
    POLDER_HOST_DEVICE Rule<T> rule(double k) const {
        OfAdam adam{};
        adam.learning_rate = learning_rate;
        adam.beta1 = beta1;
        adam.beta2 = beta2;
        adam.eps = eps;
        adam.maximize = maximize;
        auto const rule = adam.template rule<T>(k);
        return {rule.penalised, rule, T(1 - learning_rate * weight_decay)};
    }
};

template <class F>
POLDER_HOST_DEVICE decltype(auto) AdamW::with_form(F const& f) const {
    if (amsgrad) return f(Form<Adam::Amsgrad>{*this});
    return f(Form<Adam>{*this});
}

}  // namespace polder
