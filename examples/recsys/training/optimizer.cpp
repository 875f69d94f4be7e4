// Names, options and their defaults; the methods themselves are in methods_*.cpp.
#include "recsys/training/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

#include <polder/schedule/schedules.hpp>

#include "recsys/names.hpp"
#include "recsys/training/methods.hpp"

namespace polder::recsys {

namespace {

using Kind = OptimizerOptionDescription::Kind;
using registry::canonical;
using registry::OptionReader;

constexpr char half_steps[] = "half_steps";

// What surrounds any method.
constexpr OptimizerOptionDescription common_descriptions[] = {
    {"every", Kind::whole, ">= 1",
     "The method's own step is taken every k-th time, and a step of its base optimizer else"},
    {"phase", Kind::text, "first or last", "Which of every k steps"},
    {"warm_up", Kind::whole, ">= 0", "Steps of the base optimizer alone before any other"},
    {"clip_norm", Kind::number, "> 0", "Largest norm of the gradient that the base optimizer gets"},
    {"clip_value", Kind::number, "> 0", "Largest size of each of its values"},
    {"learning_rate_schedule", Kind::text,
     "constant, step, exponential, cosine, warm_up or inverse",
     "What the learning rate of step t is multiplied with"},
    {"learning_rate_steps", Kind::whole, ">= 1",
     "step: steps from one level to the next; cosine, warm_up: their length"},
    {"learning_rate_factor", Kind::number, ">= 0", "step, exponential: the factor"},
    {"learning_rate_last", Kind::number, ">= 0", "cosine: the factor at its end"},
    {"rho_schedule", Kind::text, "as learning_rate_schedule",
     "The same of the radius; inverse is rho / t"},
    {"rho_steps", Kind::whole, ">= 1", "As learning_rate_steps"},
    {"rho_factor", Kind::number, ">= 0", "As learning_rate_factor"},
    {"rho_last", Kind::number, ">= 0", "As learning_rate_last"},
    {half_steps, Kind::flag, "",
     "The + methods, sampa: a step takes two batches of the epoch, which has half as many steps; "
     "otherwise the second comes from a second permutation"},
};

std::function<double(std::uint64_t)> schedule(OptionReader& options, std::string const& of) {
    static std::vector<std::string> const kinds{"constant", "step",    "exponential",
                                                "cosine",   "warm_up", "inverse"};
    auto const kind = kinds[options.choice(of + "_schedule", kinds)];
    auto const steps = [&] {
        auto const value = options.whole(of + "_steps", 1000);
        if (value == 0) registry::refuse_value(of + "_steps", "0", "at least 1");
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

}  // namespace

namespace detail {

void surround(polder::Settings& settings, OptionReader& options, bool perturbs, bool is_base_alone,
              int batches) {
    options.begin(OptimizerValue::Part::common);
    if (!is_base_alone) {
        auto interval = settings.interval();
        interval.every = options.whole("every", interval.every);
        if (options.choice("phase", {"first", "last"}) == 1) {
            interval.phase = Phase::last;
            interval.restart_each_epoch = false;
        }
        interval.warm_up = options.whole("warm_up", interval.warm_up);
        settings.set_interval(interval);
    }
    Clipping clipping;
    auto const positive = [&](char const* name, double by_default) {
        double const value = options.number(name, by_default);
        if (!(value > 0)) polder::detail::refuse(name, value, "a number > 0");
        return value;
    };
    clipping.norm = positive("clip_norm", clipping.norm);
    clipping.value = positive("clip_value", clipping.value);
    settings.set_clipping(clipping);
    settings.set_learning_rate_schedule(schedule(options, "learning_rate"));
    if (perturbs) settings.set_rho_schedule(schedule(options, "rho"));
    if (batches > 1) options.flag(half_steps, false);  // the trainer's, see half_steps_of
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

TableRates parse_rates(std::string const& text) {
    TableRates rates;
    for (std::size_t begin = 0; begin < text.size();) {
        auto const end = std::min(text.find(',', begin), text.size());
        auto const part = text.substr(begin, end - begin);
        auto const equals = part.find('=');
        auto const rate = equals == std::string::npos
                              ? std::optional<double>()
                              : detail::value_of<double>(part.substr(equals + 1));
        if (equals == 0 || !rate || !std::isfinite(*rate) || *rate < 0)
            throw std::invalid_argument("rates: '" + part +
                                        "', expected the name of a table = a rate >= 0");
        auto name = part.substr(0, equals);
        for (auto const& each : rates)
            if (each.first == name)
                throw std::invalid_argument("rates: '" + name + "' is there twice");
        rates.emplace_back(std::move(name), *rate);
        begin = end + 1;
    }
    return rates;
}

std::string to_text(TableRates const& rates) {
    std::string text;
    for (auto const& [name, rate] : rates)
        text += (text.empty() ? "" : ",") + name + "=" + to_text(AnyValue(rate));
    return text;
}

std::vector<OptimizerValue> optimizer_values(OptimizerOptions const& options) {
    OptionReader reader(options.values);
    static_cast<void>(detail::make_optimizer_on<HostMemory>(options, reader));
    return reader.used();
}

std::unique_ptr<AnyOptimizer> make_optimizer(OptimizerOptions const& options) {
    OptionReader reader(options.values);
    return std::make_unique<AnyOptimizer>(detail::make_optimizer_on<HostMemory>(options, reader));
}

bool half_steps_of(OptimizerOptions const& options) {
    for (auto const& each : optimizer_values(options))
        if (each.name == half_steps) return std::get<bool>(each.value);
    return false;
}

std::vector<OptimizerDescription> describe_methods() {
    std::vector<OptimizerDescription> result;
    for (auto const& line : detail::all_lines<HostMemory>())
        result.push_back({std::string(line.entry.name), std::string(line.entry.equation),
                          std::string(line.entry.source), line.has_plus});
    return result;
}

std::vector<OptimizerDescription> describe_base_optimizers() {
    std::vector<OptimizerDescription> result;
    registry::for_each_base([&](registry::BaseEntry const& entry, auto const&) {
        result.push_back({std::string(entry.name), std::string(entry.equation),
                          std::string(entry.source), false});
    });
    return result;
}

std::vector<std::string> method_names() {
    return registry::method_names(detail::all_lines<HostMemory>());
}

std::vector<std::string> base_names() { return registry::base_names(); }

std::vector<OptimizerOptionDescription> describe_optimizer_options() {
    std::vector<OptimizerOptionDescription> all(registry::option_descriptions.begin(),
                                                registry::option_descriptions.end());
    all.insert(all.end(), std::begin(common_descriptions), std::end(common_descriptions));
    return all;
}

}  // namespace polder::recsys
