/// Names as people type them: which known names are near one that is not known.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <polder/error.hpp>

namespace polder::registry {

/// How many characters must be inserted, removed or replaced to make b of a (Levenshtein 1966).
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t j = 0; j < b.size(); ++j) {
            auto const replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
        }
    }
    return row.back();
}

/// Up to three of `known`, nearest first, that differ from `name` in at most a third of its characters
/// (two of a short name), or contain it.
inline std::vector<std::string> nearest_names(std::string_view name,
                                              std::span<std::string const> known) {
    auto const limit = std::max<std::size_t>(2, name.size() / 3);
    std::vector<std::pair<std::size_t, std::string>> near;
    for (auto const& each : known) {
        auto const distance = edit_distance(name, each);
        if (distance <= limit && distance < name.size())
            near.emplace_back(distance, each);
        else if (name.size() >= 2 && each.find(name) != std::string::npos)
            near.emplace_back(limit + 1, each);
    }
    std::stable_sort(near.begin(), near.end(),
                     [](auto const& a, auto const& b) { return a.first < b.first; });
    std::vector<std::string> result;
    for (auto const& each : near)
        if (result.size() < 3) result.push_back(each.second);
    return result;
}

/// "a, b, c".
inline std::string listed(std::span<std::string const> names) {
    std::string text;
    for (auto const& name : names) text.append(text.empty() ? "" : ", ").append(name);
    return text;
}

/// Throws std::invalid_argument: "unknown optimizer 'sma'; nearest: sam; known: none, sam, ...".
[[noreturn]] inline void refuse_name(std::string_view what, std::string_view name,
                                     std::span<std::string const> known) {
    auto message = "unknown " + std::string(what) + " '" + std::string(name) + "'";
    if (auto const near = nearest_names(name, known); !near.empty())
        message += "; nearest: " + listed(near);
    POLDER_THROW std::invalid_argument(message + "; known: " + listed(known));
}

/// The `name`s of a list.
template <class Entries>
std::vector<std::string> names_of(Entries const& entries) {
    std::vector<std::string> names;
    for (auto const& each : entries) names.emplace_back(each.name);
    return names;
}

/// Throws as `refuse_name` where `name` is not among `known`.
inline void require_known(std::string_view what, std::string_view name,
                          std::span<std::string const> known) {
    if (std::find(known.begin(), known.end(), name) == known.end()) refuse_name(what, name, known);
}

}  // namespace polder::registry
