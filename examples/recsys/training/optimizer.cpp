// Names, options and their defaults; the methods themselves are in methods_*.cpp.
#include "recsys/training/optimizer.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <polder/schedule/schedules.hpp>

#include "recsys/names.hpp"
#include "recsys/training/methods.hpp"

namespace polder::recsys {

namespace {

using Kind = OptimizerOptionDescription::Kind;

constexpr std::array option_descriptions = std::to_array<OptimizerOptionDescription>({
    {"learning_rate", Kind::number, "Learning rate at the start, >= 0"},
    {"weight_decay", Kind::number,
     "L2 term added to the gradient (adamw: x shrinks by learning rate times it), >= 0"},
    {"momentum", Kind::number, "sgd, rmsprop: momentum, >= 0"},
    {"dampening", Kind::number, "sgd: share of the gradient that momentum leaves out"},
    {"nesterov", Kind::flag, "sgd: Nesterov's momentum"},
    {"beta1", Kind::number, "adam, adamw: decay of the first moment, in [0, 1)"},
    {"beta2", Kind::number, "adam, adamw: decay of the second moment, in [0, 1)"},
    {"amsgrad", Kind::flag, "adam, adamw: the largest second moment so far"},
    {"smoothing", Kind::number, "rmsprop: decay of the average of squares, in [0, 1)"},
    {"centered", Kind::flag, "rmsprop: the average of squares without the square of the average"},
    {"learning_rate_decay", Kind::number,
     "adagrad: the rate of step k is divided by 1 + (k - 1) times it, >= 0"},
    {"initial_accumulator", Kind::number, "adagrad: the sum of squares at the start, >= 0"},
    {"eps", Kind::number, "adam, adamw, rmsprop, adagrad: guard against division by zero, >= 0"},
    {"rho", Kind::number, "Radius of the perturbation, >= 0"},
    {"p", Kind::number, "sam_lp: the p of the norm, > 1"},
    {"ascents", Kind::whole, "sam_ascents: how many, >= 1"},
    {"eta", Kind::number,
     "asam: added to |x|; fisher_sam: weight of the squared gradient in the metric, >= 0"},
    {"damping", Kind::number, "fisher_sam: the metric where the gradient is 0, > 0"},
    {"decay", Kind::number, "fisher_sam_running: decay of the average of squares, in [0, 1)"},
    {"samples", Kind::whole,
     "fisher_sam_samples, ssam_f: rows of a batch whose gradients are taken singly, >= 1"},
    {"exempt", Kind::text,
     "asam, fisher_sam: parameters that are not scaled, by name; * stands for any text, ; "
     "separates"},
    {"sparsity", Kind::number, "ssam: share of coordinates that are not perturbed, in [0, 1]"},
    {"refresh_epochs", Kind::whole, "ssam: epochs from one mask to the next, >= 1"},
    {"drop_rate", Kind::number, "ssam_d: share of the mask that is exchanged at first, in [0, 1]"},
    {"drop", Kind::text, "ssam_d: coordinates of low gradient, weight or random number leave"},
    {"growth", Kind::text, "ssam_d: coordinates of high random number, gradient or weight join"},
    {"first_epoch", Kind::whole, "ssam_d: where the share that is exchanged begins to fall"},
    {"last_epoch", Kind::whole, "ssam_d: where it is 0"},
    {"mask_seed", Kind::whole, "ssam_d: seed of the mask"},
    {"sigma", Kind::number,
     "fsam, and distance constant: how much of the average is taken off, >= 0"},
    {"lambda", Kind::number, "fsam, bsam: decay of the average of gradients, in [0, 1)"},
    {"distance", Kind::text,
     "bsam: of a gradient and the average: manhattan, manhattan_mean, euclidean, chebyshev, "
     "cosine, "
     "constant, none"},
    {"alpha", Kind::number,
     "gnp: weight of the perturbed gradient, in [0, 1]; gsam: of the part across it; looksam: of "
     "what "
     "is used again, >= 0"},
    {"normalise_clean", Kind::flag, "gnp: g / |g| in the place of g"},
    {"gamma", Kind::number, "wsam: a = gamma / (1 - gamma) weighs the sharpness, in [0, 1)"},
    {"alpha1", Kind::number, "mg, sgbd: weight of the gradient of the step down"},
    {"alpha2", Kind::number, "mg, sgbd: weight of the gradient of the step up"},
    {"literal", Kind::flag, "sgbd: steps between have the length alpha2, as printed"},
    {"kappa", Kind::number, "The + methods: weight of the first batch, in [0, 1]"},
    {"every", Kind::whole,
     "The method is itself on every k-th step and its base optimizer on the others, >= 1"},
    {"phase", Kind::text, "Which of every k steps: first or last"},
    {"warm_up", Kind::whole, "Steps of the base optimizer alone before any other"},
    {"clip_norm", Kind::number, "Largest norm of the gradient that the base optimizer gets, > 0"},
    {"clip_value", Kind::number, "Largest size of each of its values, > 0"},
    {"learning_rate_schedule", Kind::text,
     "What the learning rate of step t is multiplied with: constant, step, exponential, cosine, "
     "warm_up, inverse"},
    {"learning_rate_steps", Kind::whole,
     "step: steps from one level to the next; cosine, warm_up: their length, >= 1"},
    {"learning_rate_factor", Kind::number, "step, exponential: the factor, >= 0"},
    {"learning_rate_last", Kind::number, "cosine: the factor at its end, >= 0"},
    {"rho_schedule", Kind::text, "As learning_rate_schedule, of the radius; inverse is rho / t"},
    {"rho_steps", Kind::whole, "As learning_rate_steps"},
    {"rho_factor", Kind::number, "As learning_rate_factor"},
    {"rho_last", Kind::number, "As learning_rate_last"},
});

std::string canonical(std::string_view name) {
    std::string result(name);
    for (char& c : result)
        c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return result;
}

[[noreturn]] void refuse_value(std::string_view name, std::string_view text,
                               std::string const& expected) {
    throw std::invalid_argument(std::string(name) + " = '" + std::string(text) + "', expected " +
                                expected);
}

template <class T>
bool read_number(std::string const& text, T& value) {
    auto const end = text.data() + text.size();
    auto const result = std::from_chars(text.data(), end, value);
    return result.ec == std::errc{} && result.ptr == end;
}

std::vector<detail::Method> all_methods() {
    std::vector<detail::Method> result;
    for (auto const table : {detail::methods_of_balls(), detail::methods_of_metrics(),
                             detail::methods_of_distances(), detail::methods_of_mixes()})
        result.insert(result.end(), table.begin(), table.end());
    return result;
}

struct BaseLine {
    std::string_view name, equation, source;
    AnyBase (*make)(detail::OptionReader&);
};

template <class BaseOpt>
BaseOpt with_rate(detail::OptionReader& o) {
    BaseOpt base;
    base.learning_rate = o.number("learning_rate", base.learning_rate);
    base.weight_decay = o.number("weight_decay", base.weight_decay);
    return base;
}

template <class BaseOpt>
AnyBase adam(detail::OptionReader& o) {
    auto base = with_rate<BaseOpt>(o);
    base.beta1 = o.number("beta1", base.beta1);
    base.beta2 = o.number("beta2", base.beta2);
    base.eps = o.number("eps", base.eps);
    base.amsgrad = o.flag("amsgrad", base.amsgrad);
    return AnyBase{base};
}

constexpr BaseLine base_lines[] = {
    {"adam", "x <- x - learning_rate m / (sqrt(v) + eps), m, v: corrected averages of u and u^2",
     "Kingma and Ba 2015; torch.optim.Adam", &adam<Adam>},
    {"adamw", "as adam, after x <- (1 - learning_rate weight_decay) x",
     "Loshchilov and Hutter 2019; torch.optim.AdamW", &adam<AdamW>},
    {"sgd", "x <- x - learning_rate u, or the running sum of u with momentum", "torch.optim.SGD",
     [](detail::OptionReader& o) {
         auto base = with_rate<SGD>(o);
         base.momentum = o.number("momentum", base.momentum);
         base.dampening = o.number("dampening", base.dampening);
         base.nesterov = o.flag("nesterov", base.nesterov);
         return AnyBase{base};
     }},
    {"rmsprop", "x <- x - learning_rate u / (sqrt(v) + eps), v: average of u^2",
     "Tieleman and Hinton 2012; torch.optim.RMSprop",
     [](detail::OptionReader& o) {
         auto base = with_rate<RMSprop>(o);
         base.alpha = o.number("smoothing", base.alpha);
         base.eps = o.number("eps", base.eps);
         base.momentum = o.number("momentum", base.momentum);
         base.centered = o.flag("centered", base.centered);
         return AnyBase{base};
     }},
    {"adagrad", "x <- x - learning_rate u / (sqrt(S) + eps), S: sum of u^2",
     "Duchi, Hazan and Singer 2011; torch.optim.Adagrad",
     [](detail::OptionReader& o) {
         auto base = with_rate<Adagrad>(o);
         base.learning_rate_decay = o.number("learning_rate_decay", base.learning_rate_decay);
         base.initial_accumulator_value =
             o.number("initial_accumulator", base.initial_accumulator_value);
         base.eps = o.number("eps", base.eps);
         return AnyBase{base};
     }},
};

AnyBase make_base(std::string_view name, detail::OptionReader& options) {
    auto const wanted = canonical(name);
    for (auto const& line : base_lines)
        if (line.name == wanted) return line.make(options);
    refuse_name("base optimizer", name, base_names());
}

std::unique_ptr<AnyOptimizer> make(OptimizerOptions const& chosen, detail::OptionReader& options) {
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
    detail::Composer composer(options, std::move(base), plus);
    return method->make(composer);
}

}  // namespace

namespace detail {

OptionReader::OptionReader(OptimizerOptions const& options) : options_(options) {
    for (auto& each : options_.values) each.first = canonical(each.first);
}

std::string const* OptionReader::find(std::string_view name) const {
    std::string const* text = nullptr;  // of several the last counts
    for (auto const& each : options_.values)
        if (each.first == name) text = &each.second;
    return text;
}

void OptionReader::note(std::string_view name, AnyValue value) {
    used_.push_back({std::string(name), std::move(value), part_});
}

double OptionReader::number(std::string_view name, double by_default) {
    double value = by_default;
    if (auto const* text = find(name); text != nullptr && !read_number(*text, value))
        refuse_value(name, *text, "a number");
    note(name, value);
    return value;
}

std::uint64_t OptionReader::whole(std::string_view name, std::uint64_t by_default) {
    constexpr std::uint64_t largest = std::numeric_limits<int>::max();
    std::uint64_t value = by_default;
    if (auto const* text = find(name);
        text != nullptr && !(read_number(*text, value) && value <= largest))
        refuse_value(name, *text, "a whole number from 0 to " + std::to_string(largest));
    note(name, static_cast<double>(value));
    return value;
}

bool OptionReader::flag(std::string_view name, bool by_default) {
    bool value = by_default;
    if (auto const* text = find(name)) {
        auto const word = canonical(*text);
        if (word != "true" && word != "false") refuse_value(name, *text, "true or false");
        value = word == "true";
    }
    note(name, value);
    return value;
}

std::string OptionReader::text(std::string_view name, std::string_view by_default) {
    auto const* const found = find(name);
    std::string value(found != nullptr ? std::string_view(*found) : by_default);
    note(name, value);
    return value;
}

std::size_t OptionReader::choice(std::string_view name, std::vector<std::string> const& choices) {
    auto const* const found = find(name);
    auto const value = found != nullptr ? canonical(*found) : choices.front();
    auto const place = std::find(choices.begin(), choices.end(), value);
    if (place == choices.end()) refuse_name(name, *found, choices);
    note(name, value);
    return static_cast<std::size_t>(place - choices.begin());
}

void OptionReader::require_all_used() const {
    for (auto const& entry : options_.values) {
        auto const is_it = [&](auto const& each) { return each.name == entry.first; };
        if (std::any_of(used_.begin(), used_.end(), is_it)) continue;
        std::vector<std::string> known;
        for (auto const& each : used_) known.push_back(each.name);
        refuse_name("option of optimizer '" + options_.method + "' on '" + options_.base + "'",
                    entry.first, known);
    }
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

}  // namespace detail

OptimizerOptions parse_optimizer(std::string_view text, OptimizerOptions const& defaults) {
    auto result = defaults;
    auto const colon = text.find(':');
    result.method = canonical(text.substr(0, colon));
    while (!text.empty() && text.find(':') != std::string_view::npos) {
        text.remove_prefix(text.find(':') + 1);
        auto const part = text.substr(0, text.find(':'));
        auto const equals = part.find('=');
        if (equals == std::string_view::npos || equals == 0)
            throw std::invalid_argument("optimizer '" + result.method + "': '" + std::string(part) +
                                        "', expected name=value");
        auto const name = canonical(part.substr(0, equals));
        auto const value = std::string(part.substr(equals + 1));
        if (name == "base")
            result.base = value;
        else
            result.values.emplace_back(name, value);
    }
    return result;
}

std::vector<OptimizerValue> optimizer_values(OptimizerOptions const& options) {
    detail::OptionReader reader(options);
    make(options, reader);
    return reader.used();
}

std::unique_ptr<AnyOptimizer> make_optimizer(OptimizerOptions const& options) {
    detail::OptionReader reader(options);
    return make(options, reader);
}

std::vector<OptimizerDescription> describe_methods() {
    std::vector<OptimizerDescription> result;
    for (auto const& each : all_methods())
        result.push_back({std::string(each.name), std::string(each.equation),
                          std::string(each.source), each.has_plus});
    return result;
}

std::vector<OptimizerDescription> describe_base_optimizers() {
    std::vector<OptimizerDescription> result;
    for (auto const& each : base_lines)
        result.push_back(
            {std::string(each.name), std::string(each.equation), std::string(each.source), false});
    return result;
}

std::vector<std::string> method_names() {
    std::vector<std::string> result;
    for (auto const& each : all_methods()) result.emplace_back(each.name);
    for (auto const& each : all_methods())
        if (each.has_plus) result.push_back(std::string(each.name) + "+");
    return result;
}

std::vector<std::string> base_names() {
    std::vector<std::string> result;
    for (auto const& each : base_lines) result.emplace_back(each.name);
    return result;
}

std::span<OptimizerOptionDescription const> describe_optimizer_options() {
    return option_descriptions;
}

}  // namespace polder::recsys
