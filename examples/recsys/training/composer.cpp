// How options become an optimizer: base optimizers, schedules, and what all methods have.
#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <polder/schedule/schedules.hpp>

#include "recsys/names.hpp"
#include "recsys/training/methods.hpp"

namespace polder::recsys::detail::POLDER_METHODS_NAMESPACE {

namespace {

template <class BaseOpt>
BaseOpt with_rate(OptionReader& o) {
    BaseOpt base;
    base.learning_rate = o.number("learning_rate", base.learning_rate);
    base.weight_decay = o.number("weight_decay", base.weight_decay);
    return base;
}

template <class BaseOpt>
AnyBase adam(OptionReader& o) {
    auto base = with_rate<BaseOpt>(o);
    base.beta1 = o.number("beta1", base.beta1);
    base.beta2 = o.number("beta2", base.beta2);
    base.eps = o.number("eps", base.eps);
    base.amsgrad = o.flag("amsgrad", base.amsgrad);
    return AnyBase{base};
}

constexpr BaseLine lines[] = {
    {"adam", "x <- x - learning_rate m / (sqrt(v) + eps), m, v: corrected averages of u and u^2",
     "Kingma and Ba 2015; torch.optim.Adam", &adam<Adam>},
    {"adamw", "as adam, after x <- (1 - learning_rate weight_decay) x",
     "Loshchilov and Hutter 2019; torch.optim.AdamW", &adam<AdamW>},
    {"sgd", "x <- x - learning_rate u, or the running sum of u with momentum", "torch.optim.SGD",
     [](OptionReader& o) {
         auto base = with_rate<SGD>(o);
         base.momentum = o.number("momentum", base.momentum);
         base.dampening = o.number("dampening", base.dampening);
         base.nesterov = o.flag("nesterov", base.nesterov);
         return AnyBase{base};
     }},
    {"rmsprop", "x <- x - learning_rate u / (sqrt(v) + eps), v: average of u^2",
     "Tieleman and Hinton 2012; torch.optim.RMSprop",
     [](OptionReader& o) {
         auto base = with_rate<RMSprop>(o);
         base.alpha = o.number("smoothing", base.alpha);
         base.eps = o.number("eps", base.eps);
         base.momentum = o.number("momentum", base.momentum);
         base.centered = o.flag("centered", base.centered);
         return AnyBase{base};
     }},
    {"adagrad", "x <- x - learning_rate u / (sqrt(S) + eps), S: sum of u^2",
     "Duchi, Hazan and Singer 2011; torch.optim.Adagrad",
     [](OptionReader& o) {
         auto base = with_rate<Adagrad>(o);
         base.learning_rate_decay = o.number("learning_rate_decay", base.learning_rate_decay);
         base.initial_accumulator_value =
             o.number("initial_accumulator", base.initial_accumulator_value);
         base.eps = o.number("eps", base.eps);
         return AnyBase{base};
     }},
};

AnyBase make_base(std::string_view name, OptionReader& options) {
    auto const wanted = canonical(name);
    for (auto const& line : lines)
        if (line.name == wanted) return line.make(options);
    refuse_name("base optimizer", name, base_names());
}

}  // namespace

std::span<BaseLine const> base_lines() { return lines; }

std::vector<Method> all_methods() {
    std::vector<Method> result;
    for (auto const table :
         {methods_of_balls(), methods_of_metrics(), methods_of_distances(), methods_of_mixes()})
        result.insert(result.end(), table.begin(), table.end());
    return result;
}

std::unique_ptr<AnyOptimizer> make(OptimizerOptions const& chosen, OptionReader& options) {
    auto wanted = canonical(chosen.method);
    bool const plus = wanted.ends_with('+');
    if (plus) wanted.pop_back();
    auto const methods = all_methods();
    auto const method = std::find_if(methods.begin(), methods.end(), [&](auto const& each) {
        return each.name == wanted && (each.has_plus || !plus);
    });
    if (method == methods.end()) refuse_name("optimizer", chosen.method, method_names());
    auto base = make_base(chosen.base, options);
    options.begin(OptimizerValue::Part::method);
    Composer composer(options, std::move(base), plus);
    return method->make(composer);
}

void Composer::take_exempt() {
    auto patterns = options.text("exempt", "");
    Group group{.name = "exempt", .adaptive = false};
    for (std::size_t begin = 0; begin < patterns.size();) {
        auto const end = std::min(patterns.find(';', begin), patterns.size());
        if (end > begin) group.blocks.push_back(patterns.substr(begin, end - begin));
        begin = end + 1;
    }
    if (!group.blocks.empty()) groups_ = {std::move(group)};
}

std::function<double(std::uint64_t)> Composer::schedule(std::string const& of) {
    static std::vector<std::string> const kinds{"constant", "step",    "exponential",
                                                "cosine",   "warm_up", "inverse"};
    auto const kind = kinds[options.choice(of + "_schedule", kinds)];
    auto const steps = [&] {
        auto const value = options.whole(of + "_steps", 1000);
        if (value == 0) refuse_value(of + "_steps", "0", "at least 1");
        return value;
    };
    auto const factor = [&](std::string const& name, double by_default) {
        double const value = options.number(of + name, by_default);
        require_non_negative(of + name, value);
        return value;
    };
    if (kind == "step") {
        auto const every = steps();
        return schedules::Step{every, factor("_factor", schedules::Step{}.factor)};
    }
    if (kind == "exponential")
        return schedules::Exponential{factor("_factor", schedules::Exponential{}.factor)};
    if (kind == "cosine") {
        auto const length = steps();
        return schedules::Cosine{length, factor("_last", schedules::Cosine{}.last)};
    }
    if (kind == "warm_up") return schedules::WarmUp{steps()};
    if (kind == "inverse") return schedules::Inverse{};
    return {};
}

CommonOptions Composer::common_options(bool perturbs, bool mirrors, Interval const* interval) {
    options.begin(OptimizerValue::Part::common);
    CommonOptions common;
    common.groups = groups_;
    if (interval != nullptr) common.interval = *interval;
    if (perturbs || mirrors) {
        auto& i = common.interval;
        i.every = options.whole("every", i.every);
        if (options.choice("phase", {"first", "last"}) == 1) {
            i.phase = Phase::last;
            i.restart_each_epoch = false;
        }
        i.warm_up = options.whole("warm_up", i.warm_up);
        i.validate();
    }
    common.clipping.norm = options.number("clip_norm", common.clipping.norm);
    common.clipping.value = options.number("clip_value", common.clipping.value);
    common.clipping.validate();
    common.learning_rate_schedule = schedule("learning_rate");
    if (perturbs) common.rho_schedule = schedule("rho");
    return common;
}

}  // namespace polder::recsys::detail::POLDER_METHODS_NAMESPACE
