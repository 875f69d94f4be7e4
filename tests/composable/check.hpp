// What the program that checks mixtures and the sources with some of them have in common.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/polder.hpp>
#include <polder/registry/any_base.hpp>

#include "composable/table.hpp"
#include "support/any_container.hpp"
#include "support/plain_reference.hpp"
#include "support/random.hpp"

namespace polder::test {

/// A loss of a few dozen parameters: of batch B in step t the mean over its samples k of log cosh(w_k x - c_k).
class SmallProblem {
public:
    SmallProblem();

    std::size_t step = 0;  ///< each has batches of its own
    int calls = 0;         ///< of loss()

    /// Of batch 0 or 1, or of one sample of it where sample >= 0. Writes the gradient.
    double loss(std::vector<double> const& x, std::vector<double>& gradient, int batch, int sample);

private:
    std::vector<std::vector<double>> w_;
    std::vector<double> c_;
};

using Parameters = PlainBlocks<double>;

/// Refuses what the method has not said that it asks for.
struct Closure {
    SmallProblem* problem;
    bool second_batch = false, samples = false;
    double operator()(Parameters const& x, Parameters& gradient, Pass pass) const;
};

/// A base optimizer of any kind, whose passes are compiled once, in descents.cpp, and not with every mixture.
struct BaseElsewhere {
    AnyBase base;

    static constexpr std::string_view name = "BaseElsewhere";
    using State = AnyBase::State;
    void validate() const { base.validate(); }
    State init(Plan& plan) const { return base.init(plan); }
    template <class R, class Descent>
    void step(R& run, State const& state, Descent const& descent) const;
};

/// The names of base optimizers.
std::string name_of(BaseElsewhere const& base);
template <class BaseOpt>
std::string name_of(BaseOpt const&) {
    return policy_name<BaseOpt>();
}

/// An optimizer of some mixture.
class Mixture {
public:
    virtual ~Mixture() = default;
    virtual Report step(Parameters& x, Closure& closure) = 0;
    virtual Settings& settings() = 0;
    virtual void set_mask(Parameters& x, std::span<std::uint8_t const> mask) = 0;
    virtual std::string name() const = 0;
    /// Says what its method asks a closure for.
    virtual void announce(Closure& closure) const = 0;
    /// Writes the eps of the next step, and returns whether it can.
    virtual bool perturbation(Parameters& x, Closure& closure, Parameters& eps) = 0;
};

template <class Optimizer>
class MixtureOf final : public Mixture {
public:
    explicit MixtureOf(Optimizer optimizer) : optimizer_(std::move(optimizer)) {}
    Report step(Parameters& x, Closure& closure) override { return optimizer_.step(x, closure); }
    Settings& settings() override { return optimizer_; }
    void set_mask([[maybe_unused]] Parameters& x,
                  [[maybe_unused]] std::span<std::uint8_t const> mask) override {
        if constexpr (Optimizer::has_mask) optimizer_.set_mask(x, mask);
    }
    std::string name() const override {
        return optimizer_.policy().name() + ", " + name_of(optimizer_.base());
    }
    void announce(Closure& closure) const override {
        if constexpr (requires { optimizer_.policy().announce(closure); }) {
            optimizer_.policy().announce(closure);
        } else {  // what it has not said does not compile
            closure.second_batch = closure.samples = true;
        }
    }
    bool perturbation([[maybe_unused]] Parameters& x, [[maybe_unused]] Closure& closure,
                      [[maybe_unused]] Parameters& eps) override {
        if constexpr (Optimizer::has_perturbation) optimizer_.perturbation(x, closure, eps);
        return Optimizer::has_perturbation;
    }

private:
    Optimizer optimizer_;
};

/// One of the families of a perturbation and a distance, each with another mix: one optimizer for all of them, so that
/// what they have in common is compiled once.
template <class... Families>
struct OneOf {
    std::tuple<Families...> families;
    std::size_t which;

    static constexpr int batches = 2;
    static constexpr bool samples = true;
    void validate() const {}
    std::string name() const {
        return std::array<std::string (*)(), sizeof...(Families)>{&Families::name...}[which]();
    }
    void announce(Closure& closure) const {
        closure.second_batch = std::array{(Families::batches == 2)...}[which];
        closure.samples = std::array{Families::samples...}[which];
    }
    using State = std::tuple<typename Families::State...>;
    State init(Plan& plan) const {
        State all{};
        at(all, [&](auto const& family, auto& own) { own = family.init(plan); });
        return all;
    }
    template <class R>
    void start(R& run, State const& all) const {
        at(all, [&](auto const& family, auto const& own) {
            if constexpr (requires { family.start(run, own); }) family.start(run, own);
        });
    }
    MaskId mask(State const& all) const requires(detail::has_mask<Families>&&...) {
        MaskId mask{};
        at(all, [&](auto const& family, auto const& own) { mask = family.mask(own); });
        return mask;
    }
    template <class R>
    void step(R& run, State const& all, Descends<BaseElsewhere> const& base) const {
        at(all, [&](auto const& family, auto const& own) { family.step(run, own, base); });
    }

private:
    // f(the family in use, its state).
    template <std::size_t k = 0, class S, class F>
    void at(S& all, F const& f) const {
        if (which == k) {
            f(std::get<k>(families), std::get<k>(all));
        } else if constexpr (k + 1 < sizeof...(Families)) {
            at<k + 1>(all, f);
        }
    }
};

/// A perturbation with a distance, by their numbers, and every mix and base optimizer.
struct Pair {
    using Answers = std::array<std::array<bool, table::base_count>, table::mix_count>;
    /// Makes a mixture and writes the same to the reference. The random numbers decide on hyper-parameters.
    using Make = std::unique_ptr<Mixture> (*)(std::size_t mix, std::size_t base, Random& random,
                                              plain::Method& method);

    std::size_t perturbation, distance;
    Answers composable;  ///< what polder says
    Make make;           ///< nullptr where nothing fits
};
/// One mixture, of the type that users write.
struct Single {
    std::size_t perturbation, distance, mix, base;
    Pair::Make make;
};

std::vector<Pair>& all_pairs();
std::vector<Single>& all_singles();

/// The base optimizer and its equal in the reference.
AnyBase make_any_base(std::size_t base, Random& random, plain::Base& plain);

template <std::size_t p, std::size_t d>
Pair::Answers ask_composable() {
    return [&]<std::size_t... m>(std::index_sequence<m...>) {
        auto const of = []<std::size_t mix, std::size_t... b>(
            std::integral_constant<std::size_t, mix>, std::index_sequence<b...>) {
            return std::array{composable<table::PerturbationAt<p>, table::DistanceAt<d>,
                                         table::MixAt<mix>, table::BaseAt<b>>...};
        };
        return Pair::Answers{of(std::integral_constant<std::size_t, m>{},
                                std::make_index_sequence<table::base_count>{})...};
    }
    (std::make_index_sequence<table::mix_count>{});
}

template <std::size_t p, std::size_t d, std::size_t... m>
std::unique_ptr<Mixture> make_mixture(std::size_t mix, std::size_t base, Random& random,
                                      plain::Method& method) {
    auto const perturb = table::make_perturbation<p>(random, method.perturb);
    auto const distance = table::make_distance<d>(random, method.distance);
    std::array<plain::Mix, sizeof...(m)> plain_mixes;
    std::size_t place = 0;
    using Made = OneOf<Family<table::PerturbationAt<p>, table::DistanceAt<d>, table::MixAt<m>>...>;
    Made made{{{perturb, distance, table::make_mix<m>(random, plain_mixes[place++])}...}, 0};
    while (std::array{m...}[made.which] != mix) ++made.which;
    method.mix = plain_mixes[made.which];
    BaseElsewhere const any{make_any_base(base, random, method.base)};
    return std::make_unique<MixtureOf<Optimizer<Made, BaseElsewhere>>>(
        Optimizer<Made, BaseElsewhere>(std::move(made), any));
}

template <std::size_t p, std::size_t d>
int add_pair() {
    Pair pair{p, d, ask_composable<p, d>(), nullptr};
    if constexpr (p == 0 && d == 0) {
        pair.make = &make_mixture<0, 0, 0, table::mix_count / 3>;
    } else if constexpr (table::fits(p, d, 0)) {
        [&]<std::size_t... m>(std::index_sequence<m...>) { pair.make = &make_mixture<p, d, m...>; }
        (std::make_index_sequence<2 * table::mix_count / 3>{});
    }
    all_pairs().push_back(pair);
    return 0;
}

template <std::size_t p, std::size_t d, std::size_t m, std::size_t b>
int add_single() {
    Single single{p, d, m, b, nullptr};
    single.make = [](std::size_t, std::size_t, Random& random,
                     plain::Method& method) -> std::unique_ptr<Mixture> {
        auto const perturb = table::make_perturbation<p>(random, method.perturb);
        auto const distance = table::make_distance<d>(random, method.distance);
        auto const mix = table::make_mix<m>(random, method.mix);
        auto const base = table::make_base<b>(random, method.base);
        using Made = Sharpness<table::PerturbationAt<p>, table::DistanceAt<d>, table::MixAt<m>,
                               table::BaseAt<b>>;
        return std::make_unique<MixtureOf<Made>>(Made(perturb, distance, mix, base));
    };
    all_singles().push_back(single);
    return 0;
}

/// What polder refuses to compile; where composable says that it fits, with a sentence of its own.
template <std::size_t p, std::size_t d, std::size_t m, std::size_t b>
struct Refused {
    using P = table::PerturbationAt<p>;
    using D = table::DistanceAt<d>;
    using M = table::MixAt<m>;
    static_assert(!composable<P, D, M, table::BaseAt<b>>, "composable says that this fits");
    Sharpness<P, D, M, table::BaseAt<b>> optimizer;
};

}  // namespace polder::test
