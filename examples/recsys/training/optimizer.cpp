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

using detail::canonical;
using detail::refuse_value;

template <class T>
bool read_number(std::string const& text, T& value) {
    auto const end = text.data() + text.size();
    auto const result = std::from_chars(text.data(), end, value);
    return result.ec == std::errc{} && result.ptr == end;
}

}  // namespace

namespace detail {

void refuse_value(std::string_view name, std::string_view text, std::string const& expected) {
    throw std::invalid_argument(std::string(name) + " = '" + std::string(text) + "', expected " +
                                expected);
}

std::string canonical(std::string_view name) {
    std::string result(name);
    for (char& c : result)
        c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return result;
}

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
    detail::on_host::make(options, reader);
    return reader.used();
}

std::unique_ptr<AnyOptimizer> make_optimizer(OptimizerOptions const& options) {
    detail::OptionReader reader(options);
    return detail::on_host::make(options, reader);
}

std::vector<OptimizerDescription> describe_methods() {
    std::vector<OptimizerDescription> result;
    for (auto const& each : detail::on_host::all_methods())
        result.push_back({std::string(each.name), std::string(each.equation),
                          std::string(each.source), each.has_plus});
    return result;
}

std::vector<OptimizerDescription> describe_base_optimizers() {
    std::vector<OptimizerDescription> result;
    for (auto const& each : detail::on_host::base_lines())
        result.push_back(
            {std::string(each.name), std::string(each.equation), std::string(each.source), false});
    return result;
}

std::vector<std::string> method_names() {
    std::vector<std::string> result;
    for (auto const& each : detail::on_host::all_methods()) result.emplace_back(each.name);
    for (auto const& each : detail::on_host::all_methods())
        if (each.has_plus) result.push_back(std::string(each.name) + "+");
    return result;
}

std::vector<std::string> base_names() {
    std::vector<std::string> result;
    for (auto const& each : detail::on_host::base_lines()) result.emplace_back(each.name);
    return result;
}

std::span<OptimizerOptionDescription const> describe_optimizer_options() {
    return option_descriptions;
}

}  // namespace polder::recsys
