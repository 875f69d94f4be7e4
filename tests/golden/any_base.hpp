/// All base optimizers as one type, chosen at run time: on devices, whose kernels take long to compile, every method is
/// compiled once.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>

#include <polder/polder.hpp>

namespace golden {

/// Holds one each of the library's. Its state is three arrays, whatever the update needs of them.
struct AnyBase {
    enum class Kind { sgd, adam, adamw, rmsprop, adagrad };

    Kind kind = Kind::sgd;
    double learning_rate = 0;
    polder::SGD sgd{};
    polder::Adam adam{};
    polder::AdamW adamw{};
    polder::RMSprop rmsprop{};
    polder::Adagrad adagrad{};

    AnyBase(polder::SGD const& base)
        : kind(Kind::sgd), learning_rate(base.learning_rate), sgd(base) {}
    AnyBase(polder::Adam const& base)
        : kind(Kind::adam), learning_rate(base.learning_rate), adam(base) {}
    AnyBase(polder::AdamW const& base)
        : kind(Kind::adamw), learning_rate(base.learning_rate), adamw(base) {}
    AnyBase(polder::RMSprop const& base)
        : kind(Kind::rmsprop), learning_rate(base.learning_rate), rmsprop(base) {}
    AnyBase(polder::Adagrad const& base)
        : kind(Kind::adagrad), learning_rate(base.learning_rate), adagrad(base) {}

    static constexpr std::string_view name = "AnyBase";
    void validate() const {}
    std::span<std::string_view const> state_names() const {
        static constexpr std::array<std::string_view, 3> names{"first", "second", "third"};
        return names;
    }
    double initial_state() const {
        return kind == Kind::adagrad ? adagrad.initial_accumulator_value : 0;
    }

    template <class T>
    using RulesOf =
        std::tuple<polder::SGD::Descent<T>, polder::SGD::HeavyBall<T>, polder::SGD::Nesterov<T>,
                   polder::Adam::Moments<T>, polder::Adam::Amsgrad<T>,
                   polder::AdamW::Decayed<T, polder::Adam::Moments<T>>,
                   polder::AdamW::Decayed<T, polder::Adam::Amsgrad<T>>, polder::RMSprop::Plain<T>,
                   polder::RMSprop::Centered<T>, polder::RMSprop::Momentum<T>,
                   polder::RMSprop::CenteredMomentum<T>, polder::Adagrad::Accumulated<T>>;

    template <class T>
    struct Rule {
        RulesOf<T> rules{};
        int which = 0;

        POLDER_HOST_DEVICE T operator()(T x, T u, T& a, T& b, T& c) const {
            T result = 0;
            try_all(std::make_integer_sequence<int, std::tuple_size_v<RulesOf<T>>>{}, result, x, u,
                    a, b, c);
            return result;
        }

    private:
        template <int... k>
        POLDER_HOST_DEVICE void try_all(std::integer_sequence<int, k...>, T& result, T x, T u, T& a,
                                        T& b, T& c) const {
            ((which == k ? void(result = call(std::get<k>(rules), x, u, a, b, c)) : void()), ...);
        }
        template <class Own>
        POLDER_HOST_DEVICE static T call(Own const& own, T x, T u, T& a, T& b, T& c) {
            if constexpr (std::is_invocable_v<Own const&, T, T>) {
                return own(x, u);
            } else if constexpr (std::is_invocable_v<Own const&, T, T, T&>) {
                return own(x, u, a);
            } else if constexpr (std::is_invocable_v<Own const&, T, T, T&, T&>) {
                return own(x, u, a, b);
            } else {
                return own(x, u, a, b, c);
            }
        }
    };

    template <class T>
    struct Take {
        Rule<T>& rule;
        template <class Own>
        POLDER_HOST_DEVICE void operator()(Own const& own) const {
            take(own, std::make_integer_sequence<int, std::tuple_size_v<RulesOf<T>>>{});
        }

    private:
        template <class Own, int... k>
        POLDER_HOST_DEVICE void take(Own const& own, std::integer_sequence<int, k...>) const {
            (take_as<k>(own), ...);
        }
        template <int k, class Own>
        POLDER_HOST_DEVICE void take_as(Own const& own) const {
            if constexpr (std::is_same_v<Own, std::tuple_element_t<k, RulesOf<T>>>) {
                std::get<k>(rule.rules) = own;
                rule.which = k;
            }
        }
    };

    template <class T, class F>
    POLDER_HOST_DEVICE void with_update(std::uint64_t k, F const& f) const {
        Rule<T> rule;
        switch (kind) {
        case Kind::sgd:
            take(sgd, k, rule);
            break;
        case Kind::adam:
            take(adam, k, rule);
            break;
        case Kind::adamw:
            take(adamw, k, rule);
            break;
        case Kind::rmsprop:
            take(rmsprop, k, rule);
            break;
        case Kind::adagrad:
            take(adagrad, k, rule);
            break;
        }
        f(rule);
    }

private:
    template <class Base, class T>
    POLDER_HOST_DEVICE void take(Base base, std::uint64_t k, Rule<T>& rule) const {
        base.learning_rate = learning_rate;
        base.template with_update<T>(k, Take<T>{rule});
    }
};

}  // namespace golden
