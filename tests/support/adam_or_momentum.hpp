#pragma once

#include <string_view>

#include <polder/base/adam.hpp>
#include <polder/base/sgd.hpp>
#include <polder/config.hpp>

namespace polder::test {

/// Adam without amsgrad, or SGD with momentum and without Nesterov's form, as the run decides: a method over
/// this is compiled once for both.
struct AdamOrMomentum {
    bool has_momentum = false;
    double learning_rate = 1e-3, weight_decay = 0;
    Adam adam{};
    SGD sgd{.momentum = 0.9};

    AdamOrMomentum(Adam const& base)
        : learning_rate(base.learning_rate), weight_decay(base.weight_decay), adam(base) {}
    AdamOrMomentum(SGD const& base)
        : has_momentum(true), learning_rate(base.learning_rate), weight_decay(base.weight_decay),
          sgd(base) {}

    static constexpr std::string_view name = "AdamOrMomentum";
    void validate() const { has_momentum ? sgd.validate() : adam.validate(); }

    template <class F>
    POLDER_HOST_DEVICE decltype(auto) with_form(F const& f) const {
        if (has_momentum) return f(with_own(SGD::HeavyBall{sgd}));
        return f(with_own(adam));
    }

private:
    template <class Form>
    POLDER_HOST_DEVICE Form with_own(Form form) const {
        form.learning_rate = learning_rate;
        form.weight_decay = weight_decay;
        return form;
    }
};

}  // namespace polder::test
