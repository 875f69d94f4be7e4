/// Hyper-parameters by name: what a model declares in a table, the command line sets from text.
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "recsys/names.hpp"

namespace polder::recsys {

/// A value of any kind that a hyper-parameter may have.
using AnyValue =
    std::variant<int, double, bool, std::string, std::vector<int>, std::vector<double>>;

/// Name and value of one hyper-parameter.
struct HyperParameterValue {
    std::string name;
    AnyValue value;
};

/// Values to set, as pairs of name and text, applied in order.
using Settings = std::vector<std::pair<std::string, std::string>>;

/// The settings that the model's authors chose for a data set.
struct PublishedSettings {
    std::string_view data_set;  ///< "baby"
    /// "n_layers=1:dropout=0.5": hyper-parameters of the model and options of the base optimizer
    /// (learning_rate). What is not named is as by default.
    std::string_view settings;
};

/// No upper end of a range.
inline constexpr double unlimited = std::numeric_limits<double>::infinity();

/// One row of the table that a struct H of hyper-parameters has as `H::table`: which member has the
/// name, and the closed range [lowest, highest] of its values or of the numbers in its list. Infinite
/// ends mean "any finite value". A text is one of `choices`, which are separated by "|".
template <class H>
struct HyperParameter {
    std::string_view name;
    std::variant<int H::*, double H::*, bool H::*, std::string H::*, std::vector<int> H::*,
                 std::vector<double> H::*>
        member;
    double lowest;
    double highest;
    std::string_view meaning;
    std::string_view choices = {};

    /// A switch or a text, which have no range.
    template <class Member>
    static constexpr HyperParameter of(std::string_view name, Member member,
                                       std::string_view meaning, std::string_view choices = {}) {
        return {name, member, 0, 0, meaning, choices};
    }
};

namespace detail {

template <class T>
inline constexpr bool is_list = false;
template <class T>
inline constexpr bool is_list<std::vector<T>> = true;

template <class T>
std::string text_of(T const& value) {
    if constexpr (std::is_same_v<T, bool>) {
        return value ? "true" : "false";
    } else if constexpr (std::is_same_v<T, std::string>) {
        return value;
    } else if constexpr (is_list<T>) {
        std::string text = "[";
        for (auto const& each : value)
            text.append(text.size() > 1 ? "," : "").append(text_of(each));
        return text + "]";
    } else {
        char text[32];
        auto const end = std::to_chars(text, text + sizeof text, value).ptr;
        return std::string(text, end);
    }
}

// The value that the whole of `text` says, or none. A list is "[1,2]", the brackets may be left out.
template <class T>
std::optional<T> value_of(std::string_view text) {
    if constexpr (std::is_same_v<T, bool>) {
        if (text == "true" || text == "True" || text == "1") return true;
        if (text == "false" || text == "False" || text == "0") return false;
        return {};
    } else if constexpr (std::is_same_v<T, std::string>) {
        return std::string(text);
    } else if constexpr (is_list<T>) {
        if (text.size() >= 2 && text.front() == '[' && text.back() == ']')
            text = text.substr(1, text.size() - 2);
        T list;
        while (!text.empty()) {
            auto const comma = text.find(',');
            auto item = text.substr(0, comma);
            while (item.starts_with(' ')) item.remove_prefix(1);
            while (item.ends_with(' ')) item.remove_suffix(1);
            auto const each = value_of<typename T::value_type>(item);
            if (!each) return {};
            list.push_back(*each);
            if (comma == std::string_view::npos) return list;
            text.remove_prefix(comma + 1);
        }
        return {};
    } else {
        T value{};
        const char* const end = text.data() + text.size();
        auto const [rest, error] = std::from_chars(text.data(), end, value);
        if (error != std::errc{} || rest != end) return {};
        return value;
    }
}

}  // namespace detail

/// `value` as the shortest text that reads back as the same value.
inline std::string to_text(AnyValue const& value) {
    return std::visit([](auto const& each) { return detail::text_of(each); }, value);
}

namespace detail {

template <class H>
std::string range_text(HyperParameter<H> const& row) {
    std::string text = std::visit(
        [](auto member) -> std::string {
            using V = std::remove_cvref_t<decltype(std::declval<H>().*member)>;
            if constexpr (std::is_same_v<V, bool>) return "true or false";
            if constexpr (std::is_same_v<V, std::string>) return "one of ";
            if constexpr (std::is_same_v<V, int>) return "an integer";
            if constexpr (std::is_same_v<V, std::vector<int>>) return "a list of integers";
            if constexpr (std::is_same_v<V, std::vector<double>>) return "a list of numbers";
            return "a number";
        },
        row.member);
    if (std::holds_alternative<bool H::*>(row.member)) return text;
    if (std::holds_alternative<std::string H::*>(row.member))
        return text + std::string(row.choices);
    if (std::isfinite(row.lowest) && std::isfinite(row.highest))
        text += " in [" + text_of(row.lowest) + ", " + text_of(row.highest) + "]";
    else if (std::isfinite(row.lowest))
        text += " >= " + text_of(row.lowest);
    else if (std::isfinite(row.highest))
        text += " <= " + text_of(row.highest);
    return text;
}

// Whether `value` is what the row allows.
template <class H, class V>
bool allows(HyperParameter<H> const& row, V const& value) {
    if constexpr (std::is_same_v<V, bool>) {
        return true;
    } else if constexpr (std::is_same_v<V, std::string>) {
        const std::string all = "|" + std::string(row.choices) + "|";
        return !value.empty() && all.find("|" + value + "|") != std::string::npos;
    } else if constexpr (is_list<V>) {
        for (auto const each : value)
            if (!allows(row, each)) return false;
        return !value.empty();
    } else {
        auto const number = static_cast<double>(value);
        return std::isfinite(number) && row.lowest <= number && number <= row.highest;
    }
}

[[noreturn]] inline void refuse(std::string_view model, std::string_view name,
                                std::string_view found, std::string const& expected) {
    throw std::invalid_argument(std::string(model) + ": " + std::string(name) + " = " +
                                std::string(found) + ", expected " + expected);
}

}  // namespace detail

/// Returns `values`. Throws std::invalid_argument, with model, name, value and range, unless all of
/// them lie in their ranges.
template <class H>
H const& check(H const& values, std::string_view model) {
    for (auto const& row : H::table) {
        std::visit(
            [&](auto member) {
                if (!detail::allows(row, values.*member))
                    detail::refuse(model, row.name, detail::text_of(values.*member),
                                   detail::range_text(row));
            },
            row.member);
    }
    return values;
}

/// Sets the hyper-parameter `name` of `values` from `text`. Throws std::invalid_argument that lists
/// the known names, or says which value was expected.
template <class H>
void set(H& values, std::string_view model, std::string_view name, std::string_view text) {
    for (auto const& row : H::table) {
        if (row.name != name) continue;
        std::visit(
            [&](auto member) {
                using V = std::remove_reference_t<decltype(values.*member)>;
                auto const value = detail::value_of<V>(text);
                if (!value)
                    detail::refuse(model, name, "'" + std::string(text) + "'",
                                   detail::range_text(row));
                values.*member = *value;
            },
            row.member);
        check(values, model);
        return;
    }
    refuse_name("hyper-parameter of " + std::string(model), name, names_of(H::table));
}

/// The defaults of H changed by `settings`.
template <class H>
H from_settings(std::string_view model, Settings const& settings) {
    H values;
    for (auto const& [name, text] : settings) set(values, model, name, text);
    return values;
}

/// Names and values, in the order of the table.
template <class H>
std::vector<HyperParameterValue> list(H const& values) {
    std::vector<HyperParameterValue> result;
    for (auto const& row : H::table)
        std::visit(
            [&](auto member) {
                result.push_back({std::string(row.name), values.*member});
            },
            row.member);
    return result;
}

/// What a list of models says of one hyper-parameter.
struct HyperParameterDescription {
    std::string name, default_value, range, meaning;
};

/// The table of H as text, with the defaults.
template <class H>
std::vector<HyperParameterDescription> describe() {
    std::vector<HyperParameterDescription> result;
    const H defaults;
    for (auto const& row : H::table)
        std::visit(
            [&](auto member) {
                result.push_back({std::string(row.name), detail::text_of(defaults.*member),
                                  detail::range_text(row), std::string(row.meaning)});
            },
            row.member);
    return result;
}

}  // namespace polder::recsys
