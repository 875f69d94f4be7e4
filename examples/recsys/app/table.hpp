/// Tables of text: aligned for a terminal, as Markdown, as CSV.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace polder::recsys::app {

/// A header and rows of the same number of cells.
struct Table {
    std::vector<std::string> header;
    std::vector<std::vector<std::string>> rows;
    std::size_t n_left =
        1;  ///< the first columns, flush left; the others, numbers, are flush right
};

namespace detail {

// Characters, not bytes, of UTF-8 text.
inline std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }));
}

inline std::vector<std::size_t> widths(Table const& table) {
    std::vector<std::size_t> result;
    for (auto const& cell : table.header) result.push_back(width(cell));
    for (auto const& row : table.rows)
        for (std::size_t k = 0; k < row.size(); ++k) result[k] = std::max(result[k], width(row[k]));
    return result;
}

inline std::string padded(std::string const& cell, std::size_t to, bool is_left) {
    std::string const space(to - width(cell), ' ');
    return is_left ? cell + space : space + cell;
}

inline std::string line(Table const& table, std::vector<std::string> const& cells,
                        std::vector<std::size_t> const& widths, std::string_view before,
                        std::string_view between, std::string_view after) {
    std::string result(before);
    for (std::size_t k = 0; k < cells.size(); ++k) {
        if (k > 0) result += between;
        result += padded(cells[k], widths[k], k < table.n_left);
    }
    result += after;
    result.erase(result.find_last_not_of(' ') + 1);
    return result + "\n";
}

// The cells as they may stand in a line of Markdown.
inline std::vector<std::string> for_markdown(std::vector<std::string> cells) {
    for (auto& cell : cells) {
        std::string text;
        for (char const c : cell)
            if (c == '|')
                text += "\\|";
            else
                text += c == '\n' || c == '\r' ? ' ' : c;
        cell = std::move(text);
    }
    return cells;
}

}  // namespace detail

/// Columns under each other, two blanks apart.
inline std::string aligned(Table const& table) {
    auto const widths = detail::widths(table);
    auto text = detail::line(table, table.header, widths, "", "  ", "");
    std::vector<std::string> rule;
    for (auto const w : widths) rule.emplace_back(w, '-');
    text += detail::line(table, rule, widths, "", "  ", "");
    for (auto const& row : table.rows) text += detail::line(table, row, widths, "", "  ", "");
    return text;
}

/// A table of GitHub's Markdown.
inline std::string markdown(Table table) {
    table.header = detail::for_markdown(std::move(table.header));
    for (auto& row : table.rows) row = detail::for_markdown(std::move(row));
    auto const widths = detail::widths(table);
    auto text = detail::line(table, table.header, widths, "| ", " | ", " |");
    text += "|";
    for (std::size_t k = 0; k < widths.size(); ++k)
        text += k < table.n_left ? ":" + std::string(widths[k] + 1, '-') + "|"
                                 : std::string(widths[k] + 1, '-') + ":|";
    text += "\n";
    for (auto const& row : table.rows) text += detail::line(table, row, widths, "| ", " | ", " |");
    return text;
}

/// Comma-separated values after RFC 4180, with line feeds.
inline std::string csv(Table const& table) {
    auto const cell = [](std::string const& text) {
        if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
        std::string quoted = "\"";
        for (char const c : text) quoted.append(c == '"' ? 2 : 1, c);
        return quoted + "\"";
    };
    auto const row = [&](std::vector<std::string> const& cells) {
        std::string result;
        for (std::size_t k = 0; k < cells.size(); ++k) {
            if (k > 0) result += ",";
            result += cell(cells[k]);
        }
        return result + "\n";
    };
    auto text = row(table.header);
    for (auto const& cells : table.rows) text += row(cells);
    return text;
}

}  // namespace polder::recsys::app
