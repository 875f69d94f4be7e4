// Every method, as lists that generic tests run over. What the registry names is in them by itself.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <polder/polder.hpp>
#include <polder/registry/base_optimizers.hpp>
#include <polder/registry/methods.hpp>
#include <polder/registry/options.hpp>

#include "support/settings.hpp"

namespace polder::test {

/// One of the forms of a method: by its distance, and with the mixed loss or without.
struct Form {
    std::string name;
    std::string distance{};  // the default where it is empty
    bool plus = false;
};

/// The forms that stand in the lists. A method without a line here has one form, by its title.
inline std::vector<Form> forms_of(registry::MethodEntry const& method) {
    std::string const title(method.title);
    if (method.name == "none") return {};  // stands before the others, see all_methods
    if (method.name == "bsam") {
        return {{"BSAM Manhattan", "manhattan"},
                {"BSAM Manhattan mean", "manhattan_mean"},
                {"BSAM Euclidean", "euclidean"},
                {"BSAM Chebyshev", "chebyshev"},
                {"BSAM cosine", "cosine"},
                {"BSAM projection", "projection"},
                {"BSAM similarity", "similarity"},
                {"BSAM constant", "constant"},
                {"BSAM none", "none"},
                {"BSAM+", "", true},
                {"BSAM+ Manhattan", "manhattan", true}};
    }
    constexpr std::array with_plus{"sam", "asam", "fisher_sam", "gsam", "fsam"};
    std::vector<Form> forms{{title}};
    if (std::count(with_plus.begin(), with_plus.end(), method.name) > 0) {
        forms.push_back({title + "+", "", true});
    }
    return forms;
}

/// Answers what a method asks for with the settings of a test, and the default where they say nothing.
class SettingsReader {
public:
    SettingsReader(Settings const& with, std::string_view method, Form const& form)
        : with_(with), method_(method), form_(form) {}

    double number(std::string_view name, double by_default) const {
        double const kappa = with_.kappa;
        if (name == "rho") return with_.rho;
        if (name == "norm_guard") return with_.norm_guard;
        if (name == "kappa") return kappa;
        if (name == "lambda") {
            if (method_ == "sampa") return 1 - kappa;
            return with_.lambda.value_or(method_ == "bsam" || method_ == "fsam_after" ? 0.6 : 0.9);
        }
        if (name == "decay") return with_.lambda.value_or(0.9);
        if (name == "theta") return with_.lambda ? 1 - *with_.lambda : by_default;
        if (name == "sigma") return with_.sigma.value_or(method_ == "bsam" ? 0.5 : 1);
        if (name == "eta") return with_.eta.value_or(method_ == "asam" ? 0.01 : 1);
        if (name == "alpha") {
            if (method_ == "gnp") return kappa;
            return with_.alpha.value_or(method_ == "gsam" ? 1 - kappa : by_default);
        }
        if (name == "gamma")
            return with_.gamma.value_or(0.9 - 0.4 * kappa);  // 1/2, which is SAM, for kappa = 1
        if (name == "p") return with_.p;
        if (name == "alpha1") return with_.alpha1;
        if (name == "alpha2") return with_.alpha2;
        if (name == "sparsity") return with_.sparsity;
        if (name == "drop_rate") return with_.drop_rate;
        if (name == "beta") return 1 - with_.sparsity / 2;
        return by_default;
    }
    std::uint64_t whole(std::string_view name, std::uint64_t by_default) const {
        return name == "samples" ? static_cast<std::uint64_t>(with_.samples) : by_default;
    }
    bool flag(std::string_view, bool by_default) const { return by_default; }
    std::string text(std::string_view, std::string_view by_default) const {
        return std::string(by_default);
    }
    std::size_t choice(std::string_view name, std::vector<std::string> const& choices) const {
        if (name != "distance" || form_.distance.empty()) return 0;
        auto const found = std::find(choices.begin(), choices.end(), form_.distance);
        return static_cast<std::size_t>(found - choices.begin());
    }

private:
    Settings const& with_;
    std::string_view method_;
    Form const& form_;
};

/// Which methods the lists have with the mixed loss: each would be compiled.
template <class Method>
inline constexpr bool is_listed_with_plus = false;
template <class P>
inline constexpr bool is_listed_with_plus<Family<P, NoDistance, NoMix>> =
    std::is_same_v<P, EuclideanBall> || std::is_same_v<P, AdaptiveBall> ||
    std::is_same_v<P, FisherBall<BatchFisher, MetricNorm>>;
template <>
inline constexpr bool is_listed_with_plus<Family<EuclideanBall, NoDistance, SurrogateGap>> = true;
template <class R, class M>
inline constexpr bool is_listed_with_plus<Family<EuclideanBall, DistanceTo<R, M>, NoMix>> =
    std::is_same_v<DistanceTo<R, M>, DistanceTo<LaggedAverage, Constant>> ||
    std::is_same_v<DistanceTo<R, M>, DistanceTo<MovingAverage, Manhattan>> ||
    std::is_same_v<DistanceTo<R, M>, DistanceTo<MovingAverage, Cosine>>;

/// Which methods are another one with a relative radius, which is an option of theirs: of these, too, each would be
/// compiled, and SAM stands for them.
template <class Method>
inline constexpr bool is_relative_form = false;
template <class B, class D, class M>
inline constexpr bool is_relative_form<Family<Relative<B>, D, M>> =
    !std::is_same_v<B, EuclideanBall> || !std::is_same_v<D, NoDistance>;

template <class Method, class... Of>
inline constexpr bool is_one_of = (std::is_same_v<Method, Of> || ...);
template <class Ball>
using Ascent = Family<Ball, NoDistance, NoMix>;
template <class Mix>
using Mixture = Family<EuclideanBall, NoDistance, Mix>;
template <class Distance>
using Along = Family<EuclideanBall, Distance, NoMix>;

/// The methods that tests ask for by name, in both precisions.
template <class Method>
inline constexpr bool is_asked_for =
    is_one_of<Method, Ascent<EuclideanBall>, Ascent<Relative<EuclideanBall>>,
              Ascent<Relative<EuclideanBall, true>>, Ascent<Masked<EuclideanBall, FisherMask>>,
              Ascent<Masked<EuclideanBall, DynamicMask>>, Mirror<>>;

/// Those that, with the ones above, use each feature of the engines at least once.
template <class Method>
inline constexpr bool shows_a_feature =
    is_one_of<Method, Ascent<Centralised<EuclideanBall>>, Ascent<SeveralAscents<EuclideanBall>>,
              Ascent<Stochastic<EuclideanBall>>, Ascent<AdaptiveBall>,
              Ascent<FisherBall<RunningFisher>>, Ascent<FisherBall<SampleFisher>>,
              Ascent<FisherBall<BatchFisher, MetricNormPerBlock>>, Mixture<SurrogateGap>,
              Mixture<DecoupledSharpness>, Along<DistanceTo<LaggedAverage, Constant>>,
              Along<DistanceTo<MovingAverage, Cosine>>, Along<DistanceTo<MovingAverage, Chebyshev>>,
              Along<AlongAverage>, MomentumAscent, ParallelAscent,
              LookingAscent<EuclideanBall, ReusedAscentPerBlock>, Mirror<EuclideanBall>>;

/// Which methods the lists have for scalars T: all, and with POLDER_SOME_METHODS, as under sanitizers, only these.
template <class T, class Method>
inline constexpr bool is_kept =
#ifdef POLDER_SOME_METHODS
    is_asked_for<Method> || (std::is_same_v<T, double> && shows_a_feature<Method>);
#else
    true;
#endif

/// Calls f(name, optimizer) with every method over the base optimizer `base`, for scalars T.
template <class T, class Base, class F>
void for_each_method(Base const& base, Settings const& with, F const& f) {
    registry::for_each_method([&](registry::MethodEntry const& entry, auto const& make) {
        for (Form const& form : forms_of(entry)) {
            [[maybe_unused]] bool taken = false;
            auto const finish = [&](auto optimizer, registry::Surroundings const& around) {
                if (around.interval) {
                    Interval interval = *around.interval;
                    interval.every = with.every;
                    optimizer.set_interval(interval);
                }
                taken = true;
                f(form.name.c_str(), optimizer);
            };
            auto const take = [&]<class Method>(Method const& method,
                                                registry::Surroundings const& around = {}) {
                if constexpr (is_listed_with_plus<Method> && is_kept<T, Method>) {
                    if (form.plus) {
                        return finish(Optimizer(registry::plus(method, with.kappa), base), around);
                    }
                }
                if constexpr (!is_relative_form<Method> && is_kept<T, Method>) {
                    if (!form.plus) finish(Optimizer(method, base), around);
                }
            };
            SettingsReader reader(with, entry.name, form);
            make(reader, take);
#ifndef POLDER_SOME_METHODS
            if (!taken) throw std::logic_error("the list of tests has no " + form.name);
#endif
        }
    });
}

/// The base optimizers alone, each with options that are not its defaults: calls f(name, optimizer).
template <class F>
void for_each_base_optimizer(F const& f) {
    struct Base {
        std::string_view base, name;
        registry::Options options;
    };
    std::vector<Base> const bases{
        {"adam", "Adam with amsgrad", {{"amsgrad", "true"}}},
        {"adamw", "AdamW", {{"learning_rate", "0.01"}}},
        {"sgd", "SGD", {{"learning_rate", "0.1"}}},
        {"sgd", "momentum", {{"learning_rate", "0.1"}, {"momentum", "0.9"}, {"dampening", "0.5"}}},
        {"rmsprop",
         "RMSprop",
         {{"learning_rate", "0.01"}, {"momentum", "0.9"}, {"centered", "true"}}},
        {"adagrad", "Adagrad", {{"learning_rate", "0.1"}, {"initial_accumulator", "0.1"}}},
        {"lion", "Lion", {{"learning_rate", "0.01"}, {"weight_decay", "0.1"}}},
        {"lamb", "LAMB", {{"learning_rate", "0.01"}, {"weight_decay", "0.1"}}}};
    registry::for_each_base([&](registry::BaseEntry const& entry, auto const& make) {
        auto const add = [&](std::string_view name, registry::Options const& options) {
            registry::OptionReader reader(options);
            f(std::string(name).c_str(), Plain{make(reader)});
        };
        bool added = false;
        for (Base const& each : bases) {
            if (each.base != entry.name) continue;
            add(each.name, each.options);
            added = true;
        }
        if (!added) add(entry.name, {});
    });
}

/// One representative of each way a step can go through memory: for tests that are slow to compile. With POLDER_SOME_METHODS
/// there are four of them.
template <class Base, class F>
void for_each_kind_of_method(Base const& base, Settings const& with, F const& f) {
    f("plain", Plain{base});
    f("SAM", SAM{base, {.rho = with.rho}});
    f("MG", MirrorGradient{base});
    f("BSAM+", BSAMPlus{base, {.rho = with.rho, .kappa = with.kappa}});
#ifndef POLDER_SOME_METHODS
    f("GSAM", GSAM{base, {.rho = with.rho}});
    f("LookSAM", LookSAM{base, {.rho = with.rho, .every = 2}});
    f("SAMPa", SAMPa{base, {.rho = with.rho}});
    f("Momentum-SAM", MomentumSAM{base, {.rho = with.rho}});
    f("ESAM", ESAM{base, {.rho = with.rho}});
    f("SAM relative per block",
      Sharpness{Relative<EuclideanBall, true>{{.rho = with.rho}}, NoDistance{}, NoMix{}, base});
    f("a dynamic mask on a running Fisher ball, GSAM+",
      Sharpness{Masked<FisherBall<RunningFisher>, DynamicMask>{{.rho = with.rho}, {}}, NoDistance{},
                TwoBatchesOf<SurrogateGap>{with.kappa, {}}, base});
    f("ASAM, BSAM's average and cosine",
      Sharpness<AdaptiveBall, DistanceTo<MovingAverage, Cosine>, NoMix, Base>{
          {.rho = with.rho}, {}, {}, base});
    f("FSAM", FSAM{base, {.rho = with.rho}});
    f("VaSSO", VaSSO{base, {.rho = with.rho}});
    f("BSAM Manhattan", BSAM{base, {.rho = with.rho}, Manhattan{}});
#endif
}

}  // namespace polder::test
