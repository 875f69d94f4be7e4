/// Options of methods and base optimizers, as text: how they are read, and what each means.
#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <limits>
#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <polder/error.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/registry/names.hpp>

namespace polder::registry {

/// What an option means, and its range, in a sentence. The default depends on the method.
struct OptionDescription {
    enum class Kind { number, whole, flag, text };

    std::string_view name;
    Kind kind;
    std::string_view range;
    std::string_view meaning;
};

/// Every option that a method or a base optimizer may have. (Intervals, schedules and clipping are described where they are
/// read.)
inline constexpr std::array option_descriptions = std::to_array<OptionDescription>({
    {"learning_rate", OptionDescription::Kind::number, ">= 0", "Learning rate at the start"},
    {"weight_decay", OptionDescription::Kind::number, ">= 0",
     "L2 term added to the gradient (adamw, lion, lamb: x shrinks by learning rate times it)"},
    {"momentum", OptionDescription::Kind::number, ">= 0", "sgd, rmsprop: momentum"},
    {"dampening", OptionDescription::Kind::number, "finite",
     "sgd: share of the gradient that momentum leaves out"},
    {"nesterov", OptionDescription::Kind::flag, "", "sgd: Nesterov's momentum"},
    {"beta1", OptionDescription::Kind::number, "in [0, 1)",
     "adam, adamw, lamb: decay of the first moment; lion: of the direction"},
    {"beta2", OptionDescription::Kind::number, "in [0, 1)",
     "adam, adamw, lamb: decay of the second moment; lion: of the first"},
    {"amsgrad", OptionDescription::Kind::flag, "", "adam, adamw: the largest second moment so far"},
    {"smoothing", OptionDescription::Kind::number, "in [0, 1)",
     "rmsprop: decay of the average of squares"},
    {"centered", OptionDescription::Kind::flag, "",
     "rmsprop: the average of squares without the square of the average"},
    {"learning_rate_decay", OptionDescription::Kind::number, ">= 0",
     "adagrad: the rate of step k is divided by 1 + (k - 1) times it"},
    {"initial_accumulator", OptionDescription::Kind::number, ">= 0",
     "adagrad: the sum of squares at the start"},
    {"eps", OptionDescription::Kind::number, "> 0",
     "adam, adamw, lamb, rmsprop, adagrad: guard against division by zero"},
    {"rho", OptionDescription::Kind::number, ">= 0",
     "Radius of the perturbation; with relative its share of the parameters' norm"},
    {"relative", OptionDescription::Kind::text, "none or all",
     "asam, fisher_sam, fsam, bsam: with all rho is a share of the norm of all parameters"},
    {"p", OptionDescription::Kind::number, "> 1", "sam_lp: the p of the norm"},
    {"ascents", OptionDescription::Kind::whole, ">= 1", "sam_ascents: how many"},
    {"eta", OptionDescription::Kind::number, ">= 0",
     "asam: added to |x|; fisher_sam: weight of the squared gradient in the metric"},
    {"damping", OptionDescription::Kind::number, "> 0",
     "fisher_sam: the metric where the gradient is 0"},
    {"decay", OptionDescription::Kind::number, "in [0, 1)",
     "fisher_sam_running: decay of the average of squares"},
    {"samples", OptionDescription::Kind::whole, ">= 1",
     "fisher_sam_samples, ssam_f: rows of a batch whose gradients are taken singly"},
    {"exempt", OptionDescription::Kind::text, "",
     "asam, fisher_sam: parameters that are not scaled, by name; * stands for any text, ; "
     "separates"},
    {"sparsity", OptionDescription::Kind::number, "in [0, 1]",
     "ssam: share of coordinates that are not perturbed"},
    {"refresh_epochs", OptionDescription::Kind::whole, ">= 1",
     "ssam: epochs from one mask to the next"},
    {"drop_rate", OptionDescription::Kind::number, "in [0, 1]",
     "ssam_d: share of the mask that is exchanged at first"},
    {"drop", OptionDescription::Kind::text, "gradient, weight or random",
     "ssam_d: coordinates of low gradient, weight or random number leave"},
    {"growth", OptionDescription::Kind::text, "random, gradient or weight",
     "ssam_d: coordinates of high random number, gradient or weight join"},
    {"first_epoch", OptionDescription::Kind::whole, ">= 0",
     "ssam_d: where the share that is exchanged begins to fall"},
    {"last_epoch", OptionDescription::Kind::whole, "> first_epoch", "ssam_d: where it is 0"},
    {"draw_seed", OptionDescription::Kind::whole, ">= 0", "esam: of what is drawn"},
    {"mask_seed", OptionDescription::Kind::whole, ">= 0", "ssam_d: seed of the mask"},
    {"beta", OptionDescription::Kind::number, "mg, sgbd: >= 1; esam: in (0, 1]",
     "mg, sgbd: steps from one mirror to the next, which --every says as well; esam: the "
     "probability that a coordinate is perturbed"},
    {"sigma", OptionDescription::Kind::number, ">= 0",
     "fsam, and distance constant: how much of the average is taken off"},
    {"theta", OptionDescription::Kind::number, "in [0, 1]",
     "vasso: weight of the new gradient in the average"},
    {"lambda", OptionDescription::Kind::number, "sampa: in [0, 1]; in [0, 1)",
     "fsam, bsam: decay of the average of gradients; sampa: weight of the next batch"},
    {"distance", OptionDescription::Kind::text,
     "cosine, manhattan, manhattan_mean, euclidean, chebyshev, projection, similarity, constant or "
     "none",
     "bsam: of a gradient and the average"},
    {"scale", OptionDescription::Kind::number, "finite",
     "bsam: what the distance is multiplied with"},
    {"sign", OptionDescription::Kind::number, "1 or -1",
     "momentum_sam: -1 along the descent, 1 against it; mg: 1 the second step goes up, -1 down, as "
     "the BSAM paper prints MG in its eq. (5)"},
    {"alpha", OptionDescription::Kind::number, "gnp: in [0, 1]; >= 0",
     "gnp: weight of the perturbed gradient; gsam: weight of the part of g that is orthogonal to "
     "s; "
     "looksam: weight of what is used again"},
    {"normalise_clean", OptionDescription::Kind::flag, "", "gnp: g / |g| in the place of g"},
    {"gamma", OptionDescription::Kind::number, "in [0, 1)",
     "wsam: a = gamma / (1 - gamma) weighs the sharpness"},
    {"alpha1", OptionDescription::Kind::number, "finite",
     "mg, sgbd: weight of the gradient of the step down"},
    {"alpha2", OptionDescription::Kind::number, "finite",
     "mg, sgbd: weight of the gradient of the step up"},
    {"alphas", OptionDescription::Kind::text, "gradient or rate",
     "mg, sgbd: what alpha1 and alpha2 multiply, the gradient or the learning rate"},
    {"redraw", OptionDescription::Kind::flag, "",
     "mg: dropout masks are drawn anew for the gradient of the step up"},
    {"normalised", OptionDescription::Kind::flag, "",
     "sgbd: the step down is along g / |g| at x, as in eq. (3), and not along s"},
    {"literal", OptionDescription::Kind::flag, "",
     "sgbd: steps between have the length alpha2, as printed"},
    {"kappa", OptionDescription::Kind::number, "in [0, 1]",
     "The + methods: weight of the first batch"},
    {"norm_guard", OptionDescription::Kind::number, ">= 0", "Added to a norm where it divides"},
});

/// Options by name, as text. A name may have - instead of _, and capital letters. If a name is there twice, the last counts.
using Options = std::vector<std::pair<std::string, std::string>>;

/// The value of an option as text. A number becomes the shortest text that is read as the same number: 0.1f becomes 0.1.
class OptionText {
public:
    OptionText(std::string text) : text_(std::move(text)) {}     // NOLINT: conversion is meant
    OptionText(std::string_view text) : text_(text) {}           // NOLINT
    OptionText(char const* text) : text_(text) {}                // NOLINT
    OptionText(bool value) : text_(value ? "true" : "false") {}  // NOLINT
    template <class Number>
    requires std::is_arithmetic_v<Number> OptionText(Number value)  // NOLINT
        : text_(text_of(value)) {}

    std::string const& text() const noexcept { return text_; }

private:
    template <class Number>
    static std::string text_of(Number value) {
        char text[64];
        if constexpr (requires { std::to_chars(text, text, value); }) {
            return {text, std::to_chars(text, text + sizeof text, value).ptr};
        } else {
            std::ostringstream stream;
            stream.imbue(std::locale::classic());
            stream.precision(std::numeric_limits<Number>::max_digits10);
            stream << value;
            return stream.str();
        }
    }
    std::string text_;
};

/// Options as they are written in C++: {{"rho", 0.1}, {"distance", "cosine"}, {"nesterov", true}}.
class NamedOptions {
public:
    NamedOptions() = default;
    NamedOptions(std::initializer_list<std::pair<std::string, OptionText>> list) {
        for (auto const& [name, value] : list) options_.emplace_back(name, value.text());
    }
    NamedOptions(Options options) : options_(std::move(options)) {}  // NOLINT: conversion is meant

    Options const& options() const noexcept { return options_; }

private:
    Options options_;
};

/// A name in any spelling, as the registry has it.
inline std::string canonical(std::string_view name) {
    std::string result(name);
    for (char& c : result)
        c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return result;
}

/// An option with its value. Numbers that are infinite mean "no limit".
struct OptionValue {
    /// To what the option belongs: to the base optimizer, to the method, or to all methods.
    enum class Part { base, method, common };

    std::string name;
    std::variant<double, bool, std::string> value;
    Part part = Part::method;
};

/// Throws std::invalid_argument: name = 'text', expected ...
[[noreturn]] inline void refuse_value(std::string_view name, std::string_view text,
                                      std::string const& expected) {
    POLDER_THROW std::invalid_argument(std::string(name) + " = '" + std::string(text) +
                                       "', expected " + expected);
}

/// Reads options by name, with a default for those that were not set, and remembers which were asked for. Throws
/// std::invalid_argument that names the option, its text and what was expected.
class OptionReader {
public:
    using Part = OptionValue::Part;

    explicit OptionReader(Options options) : options_(std::move(options)) {
        for (auto& each : options_) each.first = canonical(each.first);
    }

    double number(std::string_view name, double by_default) {
        double value = by_default;
        if (auto const* text = find(name); text != nullptr && !read(*text, value))
            refuse_value(name, *text, "a number");
        note(name, value);
        return value;
    }
    std::uint64_t whole(std::string_view name, std::uint64_t by_default) {
        constexpr std::uint64_t largest = std::numeric_limits<int>::max();
        std::uint64_t value = by_default;
        if (auto const* text = find(name);
            text != nullptr && !(read(*text, value) && value <= largest))
            refuse_value(name, *text, "a whole number from 0 to " + std::to_string(largest));
        note(name, static_cast<double>(value));
        return value;
    }
    bool flag(std::string_view name, bool by_default) {
        bool value = by_default;
        if (auto const* text = find(name)) {
            auto const word = canonical(*text);
            if (word != "true" && word != "false") refuse_value(name, *text, "true or false");
            value = word == "true";
        }
        note(name, value);
        return value;
    }
    std::string text(std::string_view name, std::string_view by_default) {
        auto const* const found = find(name);
        std::string value(found != nullptr ? std::string_view(*found) : by_default);
        note(name, value);
        return value;
    }
    /// The place of the value among `choices`, the first of which is the default.
    std::size_t choice(std::string_view name, std::vector<std::string> const& choices) {
        auto const* const found = find(name);
        auto const value = found != nullptr ? canonical(*found) : choices.front();
        auto const place = std::find(choices.begin(), choices.end(), value);
        if (place == choices.end()) refuse_name(name, *found, choices);
        note(name, value);
        return static_cast<std::size_t>(place - choices.begin());
    }

    /// Options that are read from now on belong to that part.
    void begin(Part part) { part_ = part; }

    /// Throws for an option that was set and that nobody asked for; `of`: whose they are, for the message.
    void require_all_used(std::string const& of) const {
        for (auto const& entry : options_) {
            auto const is_it = [&](auto const& each) { return each.name == entry.first; };
            if (std::any_of(used_.begin(), used_.end(), is_it)) continue;
            std::vector<std::string> known;
            for (auto const& each : used_) known.push_back(each.name);
            refuse_name("option of " + of, entry.first, known);
        }
    }
    std::vector<OptionValue> const& used() const { return used_; }

private:
    template <class T>
    static bool read(std::string const& text, T& value) {
        auto const end = text.data() + text.size();
        if constexpr (requires { std::from_chars(text.data(), end, value); }) {
            auto const result = std::from_chars(text.data(), end, value);
            return result.ec == std::errc{} && result.ptr == end;
        } else {  // clang's standard library reads only whole numbers so before version 20
            std::istringstream stream(text);
            stream.imbue(std::locale::classic());
            return bool(stream >> std::noskipws >> value) && stream.peek() == EOF;
        }
    }
    std::string const* find(std::string_view name) const {
        std::string const* text = nullptr;
        for (auto const& each : options_)
            if (each.first == name) text = &each.second;
        return text;
    }
    void note(std::string_view name, std::variant<double, bool, std::string> value) {
        used_.push_back({std::string(name), std::move(value), part_});
    }

    Options options_;
    std::vector<OptionValue> used_;
    Part part_ = Part::base;
};

namespace detail {

// A whole number that is refused by its name if it is 0.
template <class Reader>
std::uint64_t at_least_one(Reader& options, std::string_view name, std::uint64_t by_default) {
    auto const value = options.whole(name, by_default);
    if (value == 0) polder::detail::refuse(std::string(name), 0, "a number >= 1");
    return value;
}

}  // namespace detail

}  // namespace polder::registry
