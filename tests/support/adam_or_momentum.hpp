#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include <polder/base/adam.hpp>
#include <polder/base/sgd.hpp>

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
    std::span<std::string_view const> state_names() const {
        return has_momentum ? sgd.state_names() : adam.state_names();
    }

    template <class T, class F>
    void with_update(std::uint64_t k, F const& f) const {
        if (has_momentum) {
            with_rule<T, SGD::HeavyBall<T>>(sgd, k, f);
        } else {
            with_rule<T, Adam::Moments<T>>(adam, k, f);
        }
    }

private:
    template <class T, class Rule, class Base, class F>
    void with_rule(Base base, std::uint64_t k, F const& f) const {
        base.learning_rate = learning_rate;
        base.weight_decay = weight_decay;
        base.template with_update<T>(k, [&]<class Own>(Own const& rule) {
            if constexpr (std::is_same_v<Own, Rule>) f(rule);
        });
    }
};

}  // namespace polder::test
