/// The base optimizer as one policy whose kind is chosen at run time: a method is then compiled once, not
/// once for each base optimizer, and its passes are as fused as with the kind itself.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include <polder/base/adagrad.hpp>
#include <polder/base/adam.hpp>
#include <polder/base/adamw.hpp>
#include <polder/base/rmsprop.hpp>
#include <polder/base/sgd.hpp>

namespace polder::recsys {

/// x <- optimizer(x, u), with the learning rate and weight decay given here.
struct AnyBase {
    using Kind = std::variant<SGD, Adam, AdamW, RMSprop, Adagrad>;

    Kind kind;
    double learning_rate;  ///< takes the place of the kind's
    double weight_decay;   ///< takes the place of the kind's

    static constexpr std::string_view name = "AnyBase";

    template <class BaseOpt>
    explicit AnyBase(BaseOpt const& base)
        : kind(base), learning_rate(base.learning_rate), weight_decay(base.weight_decay) {}

    void validate() const {
        visit([](auto const& base) { base.validate(); });
    }
    std::span<std::string_view const> state_names() const {
        return std::visit([](auto const& base) { return base.state_names(); }, kind);
    }
    double initial_state() const {
        auto const* const adagrad = std::get_if<Adagrad>(&kind);
        return adagrad != nullptr ? adagrad->initial_state() : 0;
    }

    /// Calls f(update), the update of one coordinate in step k = 1, 2, ...
    template <class T, class F>
    void with_update(std::uint64_t k, F const& f) const {
        visit([&](auto const& base) { base.template with_update<T>(k, f); });
    }

private:
    template <class F>
    void visit(F const& f) const {
        std::visit(
            [&](auto base) {
                base.learning_rate = learning_rate;
                base.weight_decay = weight_decay;
                f(base);
            },
            kind);
    }
};

}  // namespace polder::recsys
