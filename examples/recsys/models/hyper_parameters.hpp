/// Hyper-parameters by name: what a model declares in a table, the command line sets from text.
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace polder::recsys {

/// Name and value of one hyper-parameter.
struct HyperParameterValue {
    std::string name;
    std::variant<int, double> value;
};

/// Values to set, as pairs of name and text, applied in order.
using Settings = std::vector<std::pair<std::string, std::string>>;

/// One row of the table that a struct H of hyper-parameters has as `H::table`: which member has the
/// name, and the closed range [lowest, highest] of its values. Infinite ends mean "any finite value".
template <class H>
struct HyperParameter {
    std::string_view name;
    std::variant<int H::*, double H::*> member;
    double lowest;
    double highest;
    std::string_view meaning;
};

/// `value` as the shortest text that reads back as the same value.
inline std::string to_text(std::variant<int, double> const& value) {
    return std::visit(
        [](auto number) {
            char text[32];
            const auto end = std::to_chars(text, text + sizeof text, number).ptr;
            return std::string(text, end);
        },
        value);
}

namespace detail {

template <class H>
std::string range_text(HyperParameter<H> const& row) {
    const bool integer = std::holds_alternative<int H::*>(row.member);
    std::string text = integer ? "an integer" : "a number";
    if (std::isfinite(row.lowest) && std::isfinite(row.highest))
        text += " in [" + to_text(row.lowest) + ", " + to_text(row.highest) + "]";
    else if (std::isfinite(row.lowest))
        text += " >= " + to_text(row.lowest);
    else if (std::isfinite(row.highest))
        text += " <= " + to_text(row.highest);
    return text;
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
                const auto value = values.*member;
                const auto number = static_cast<double>(value);
                if (!std::isfinite(number) || number < row.lowest || number > row.highest)
                    detail::refuse(model, row.name, to_text(value), detail::range_text(row));
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
                std::remove_reference_t<decltype(values.*member)> value{};
                const char* const end = text.data() + text.size();
                const auto [rest, error] = std::from_chars(text.data(), end, value);
                if (error != std::errc{} || rest != end)
                    detail::refuse(model, name, "'" + std::string(text) + "'",
                                   detail::range_text(row));
                values.*member = value;
            },
            row.member);
        check(values, model);
        return;
    }
    std::string message =
        std::string(model) + ": unknown hyper-parameter '" + std::string(name) + "'; known:";
    for (auto const& row : H::table)
        message += (&row == H::table.data() ? " " : ", ") + std::string(row.name);
    throw std::invalid_argument(message);
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
                result.push_back({std::string(row.name), to_text(defaults.*member),
                                  detail::range_text(row), std::string(row.meaning)});
            },
            row.member);
    return result;
}

}  // namespace polder::recsys
