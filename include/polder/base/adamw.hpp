/// AdamW with PyTorch's semantics.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include <polder/base/adam.hpp>
#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>

namespace polder {

/// x <- (1 - learning_rate weight_decay) x, and then a step of Adam without weight decay in the
/// gradient: the decay does not pass through the moments, and follows the learning rate's schedule.
/// Loshchilov and Hutter 2019; torch.optim.AdamW of PyTorch 1.13. State: as Adam.
struct AdamW {
    double learning_rate = 1e-3;  ///< >= 0
    double beta1 = 0.9;           ///< in [0, 1)
    double beta2 = 0.999;         ///< in [0, 1)
    double eps = 1e-8;            ///< >= 0
    double weight_decay = 0.01;   ///< >= 0
    bool amsgrad = false;
    bool maximize = false;  ///< ascend instead of descend

    static constexpr std::string_view name = "AdamW";

    /// Throws std::invalid_argument that names the hyper-parameter which is out of range.
    void validate() const {
        require_non_negative("AdamW.learning_rate", learning_rate);
        require_decay("AdamW.beta1", beta1);
        require_decay("AdamW.beta2", beta2);
        require_non_negative("AdamW.eps", eps);
        require_non_negative("AdamW.weight_decay", weight_decay);
    }

    /// Names of the state arrays, in the order in which an update takes them.
    std::span<std::string_view const> state_names() const {
        return Adam{.amsgrad = amsgrad}.state_names();
    }

    template <class T, class Step>
    struct Decayed {
        Step step;  // of Adam
        T keep;
        template <class... State>
        POLDER_HOST_DEVICE T operator()(T x, T u, State&... state)
            const requires std::is_invocable_v<Step const&, T, T, State&...> {
            return step(keep * x, u, state...);
        }
    };

    /// Calls f(update), the update of one coordinate in step k = 1, 2, ...
    template <class T, class F>
    POLDER_HOST_DEVICE void with_update(std::uint64_t k, F const& f) const {
        const Adam adam{.learning_rate = learning_rate,
                        .beta1 = beta1,
                        .beta2 = beta2,
                        .eps = eps,
                        .amsgrad = amsgrad,
                        .maximize = maximize};
        adam.with_update<T>(k, [&]<class Step>(Step const& step) {
            f(Decayed<T, Step>{step, T(1 - learning_rate * weight_decay)});
        });
    }
};

}  // namespace polder
