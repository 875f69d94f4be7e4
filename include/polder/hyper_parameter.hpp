/// Checks of hyper-parameters, with messages that name the parameter, its value and its range.
#pragma once

#include <cmath>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <type_traits>

#include <polder/config.hpp>
#include <polder/error.hpp>

namespace polder {

namespace detail {

[[noreturn]] POLDER_COLD inline void refuse(std::string_view name, double value,
                                            std::string_view range) {
    std::ostringstream message;
    message << "polder: " << name << " = " << value << " is out of range; expected " << range;
    POLDER_THROW std::invalid_argument(message.str());
}

// A parameter type that takes any number, to refuse numbers where a method takes options.
struct NumberWithoutBraces {
    template <class Number>
    requires std::is_arithmetic_v<Number>
    constexpr NumberWithoutBraces(Number) {  // NOLINT: that it converts is the mistake
        static_assert(sizeof(Number) == 0,
                      "polder: options are named and stand in braces: SAM{base, {.rho = 0.05}}");
    }
};

// A method M deletes its constructor M(NoSuchOption<BaseOpt>, ...), which takes what no other one does: braces with an
// option of another method. So compilers say in one sentence what is wrong, and do not list all constructors and why
// none fits. A base optimizer converts to it, so that any constructor that fits is the better one.
template <class BaseOpt>
struct NoSuchOption {
    constexpr NoSuchOption(BaseOpt const&) {}  // NOLINT: conversion is meant
};

}  // namespace detail

/// Throws std::invalid_argument unless value is finite and >= 0.
inline void require_non_negative(std::string_view name, double value) {
    if (!(std::isfinite(value) && value >= 0)) detail::refuse(name, value, "a finite number >= 0");
}

/// Throws std::invalid_argument unless value is finite and > 0.
inline void require_positive(std::string_view name, double value) {
    if (!(std::isfinite(value) && value > 0)) detail::refuse(name, value, "a finite number > 0");
}

/// Throws std::invalid_argument unless value is > 0 as a T, too: 1e-50 is 0 as float.
template <class T>
void require_positive_as(std::string_view name, double value) {
    if (!(static_cast<T>(value) > 0)) {
        detail::refuse(name, value,
                       sizeof(T) == 4 ? "a number that is > 0 as float" : "a number > 0");
    }
}

/// Throws std::invalid_argument unless 0 <= value < 1.
inline void require_decay(std::string_view name, double value) {
    if (!(value >= 0 && value < 1)) detail::refuse(name, value, "[0, 1)");
}

/// Throws std::invalid_argument unless 0 <= value <= 1.
inline void require_fraction(std::string_view name, double value) {
    if (!(value >= 0 && value <= 1)) detail::refuse(name, value, "[0, 1]");
}

}  // namespace polder
