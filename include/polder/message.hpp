/// Errors whose messages are put together from parts. The functions are compiled once, and for size.
#pragma once

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

#include <polder/config.hpp>
#include <polder/error.hpp>

namespace polder::detail {

using MessageParts = std::initializer_list<std::string_view>;

// The parts, one after the other.
POLDER_COLD inline std::string text_of(MessageParts parts) {
    std::string text;
    for (std::string_view part : parts) text.append(part);
    return text;
}

// Throws std::invalid_argument: "polder: " and the parts.
[[noreturn]] POLDER_COLD inline void wrong_argument(MessageParts parts) {
    POLDER_THROW std::invalid_argument("polder: " + text_of(parts));
}

// Throws std::logic_error: "polder: " and the message.
[[noreturn]] POLDER_COLD inline void wrong_call(std::string_view message) {
    POLDER_THROW std::logic_error(text_of({"polder: ", message}));
}

}  // namespace polder::detail
