/// Numbers as options take them and as text shows them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include <CLI/CLI.hpp>

namespace polder::recsys::app {

namespace detail {
CLI::Validator whole_number(std::uint64_t lowest, std::uint64_t highest);
}

/// Accepts whole numbers from `lowest` to `highest` for an option of type T, and says so where a text is none. (CLI11 by
/// itself reads -1 as a large unsigned number, and says of what T cannot hold no more than that it is wrong.)
template <class T>
CLI::Validator whole_number(std::uint64_t lowest, T highest = std::numeric_limits<T>::max()) {
    return detail::whole_number(lowest, static_cast<std::uint64_t>(highest));
}

/// 1234567 as "1,234,567".
inline std::string grouped(std::size_t n) {
    auto text = std::to_string(n);
    for (auto k = static_cast<std::ptrdiff_t>(text.size()) - 3; k > 0; k -= 3)
        text.insert(static_cast<std::size_t>(k), ",");
    return text;
}

}  // namespace polder::recsys::app
