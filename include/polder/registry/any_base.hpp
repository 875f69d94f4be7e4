/// A base optimizer whose kind is chosen at run time.
#pragma once

#include <array>
#include <string_view>
#include <type_traits>
#include <variant>

#include <polder/base/adagrad.hpp>
#include <polder/base/adam.hpp>
#include <polder/base/adamw.hpp>
#include <polder/base/lamb.hpp>
#include <polder/base/lion.hpp>
#include <polder/base/rmsprop.hpp>
#include <polder/base/sgd.hpp>
#include <polder/run/descent.hpp>

namespace polder {

/// x <- BaseOpt(x, u) for a BaseOpt chosen at run time, with the learning rate and weight decay given here. So a method is
/// compiled once, and not once for each base optimizer. The passes of a step are the same as with the kind itself.
class AnyBase {
public:
    using Kind = std::variant<SGD, Adam, AdamW, RMSprop, Adagrad, Lion, LAMB>;

    Kind kind;
    double learning_rate;  ///< takes the place of the kind's
    double weight_decay;   ///< takes the place of the kind's

    static constexpr std::string_view name = "AnyBase";

    AnyBase() : AnyBase(SGD{}) {}
    template <class BaseOpt>
    requires std::is_constructible_v<Kind, BaseOpt const&> AnyBase(BaseOpt const& base)  // NOLINT
        : kind(base), learning_rate(base.learning_rate), weight_decay(base.weight_decay) {}

private:
    // The kind, with the learning rate and weight decay that are here.
    template <class F>
    decltype(auto) visit(F const& f) const {
        return std::visit(
            [&](auto base) {
                base.learning_rate = learning_rate;
                base.weight_decay = weight_decay;
                return f(base);
            },
            kind);
    }

public:
    void validate() const {
        visit([](auto const& base) { base.validate(); });
    }
    template <class T>
    void validate_as() const {
        visit([](auto const& base) { detail::validate_as<T>(base); });
    }

    struct State {
        std::variant<detail::RuleState, LAMB::State> of;
        ArrayId first_moment() const {
            return std::visit([](auto const& state) { return state.first_moment(); }, of);
        }
    };
    State init(Plan& plan) const {
        return visit([&]<class Base>(Base const& base) {
            return State{detail::BaseState<Base>::make(base, plan)};
        });
    }
    template <class R, class Descent>
    void step(R& run, State const& state, Descent const& descent) const {
        visit([&]<class Base>(Base const& base) {
            auto const& own = std::get<typename detail::BaseState<Base>::type>(state.of);
            if constexpr (detail::step_of_its_own<Base>) {
                base.step(run, own, descent);
            } else {
                own.step(run, base, descent);
            }
        });
    }
    bool has_first_moment() const {
        return visit([](auto const& base) { return detail::has_first_moment(base); });
    }
};

}  // namespace polder
