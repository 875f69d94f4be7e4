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

namespace polder::recsys {

/// Holds one each of the library's. Its state is three arrays, whatever the update needs of them.
struct DeviceBase {
    enum class Kind { sgd, adam, adamw, rmsprop, adagrad };

    Kind kind = Kind::sgd;
    double learning_rate = 0;
    SGD sgd{};
    Adam adam{};
    AdamW adamw{};
    RMSprop rmsprop{};
    Adagrad adagrad{};

    DeviceBase(SGD const& base) : kind(Kind::sgd), learning_rate(base.learning_rate), sgd(base) {}
    DeviceBase(Adam const& base)
        : kind(Kind::adam), learning_rate(base.learning_rate), adam(base) {}
    DeviceBase(AdamW const& base)
        : kind(Kind::adamw), learning_rate(base.learning_rate), adamw(base) {}
    DeviceBase(RMSprop const& base)
        : kind(Kind::rmsprop), learning_rate(base.learning_rate), rmsprop(base) {}
    DeviceBase(Adagrad const& base)
        : kind(Kind::adagrad), learning_rate(base.learning_rate), adagrad(base) {}

    static constexpr std::string_view name = "DeviceBase";
    void validate() const {
        switch (kind) {
        case Kind::sgd:
            return sgd.validate();
        case Kind::adam:
            return adam.validate();
        case Kind::adamw:
            return adamw.validate();
        case Kind::rmsprop:
            return rmsprop.validate();
        case Kind::adagrad:
            return adagrad.validate();
        }
    }
    std::span<std::string_view const> state_names() const {
        static constexpr std::array<std::string_view, 3> names{"first", "second", "third"};
        return names;
    }
    double initial_state() const {
        return kind == Kind::adagrad ? adagrad.initial_accumulator_value : 0;
    }

    template <class T>
    using RulesOf =
        std::tuple<SGD::Descent<T>, SGD::HeavyBall<T>, SGD::Nesterov<T>, Adam::Moments<T>,
                   Adam::Amsgrad<T>, AdamW::Decayed<T, Adam::Moments<T>>,
                   AdamW::Decayed<T, Adam::Amsgrad<T>>, RMSprop::Plain<T>, RMSprop::Centered<T>,
                   RMSprop::Momentum<T>, RMSprop::CenteredMomentum<T>, Adagrad::Accumulated<T>>;

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

}  // namespace polder::recsys
