/// Names of columns and layouts that tables of interactions have in practice.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace polder::recsys {

/// What a column of a table of interactions may be. `label` is the split: 0 train, 1 valid, 2 test.
enum class ColumnRole : std::size_t { user, item, rating, timestamp, label };
inline constexpr std::size_t n_column_roles = 5;

/// "user", "item", "rating", "timestamp", "x_label".
inline std::string_view name_of(ColumnRole role) {
    constexpr std::array<std::string_view, n_column_roles> names{"user", "item", "rating",
                                                                 "timestamp", "x_label"};
    return names[static_cast<std::size_t>(role)];
}

/// A name without RecBole's type, in lower case, letters and digits alone: "user_id:token" is "userid".
inline std::string plain_column_name(std::string_view name) {
    std::string result;
    for (char const c : name.substr(0, name.find(':'))) {
        if (c >= 'A' && c <= 'Z')
            result += static_cast<char>(c - 'A' + 'a');
        else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            result += c;
    }
    return result;
}

/// The plain names by which a role is known; of several in one header the one that stands first here counts.
inline std::span<std::string_view const> plain_names_of(ColumnRole role) {
    static constexpr std::string_view users[] = {
        "userid",   "user",      "reviewerid", "customerid", "uid",      "username", "userkey",
        "memberid", "accountid", "visitorid",  "sessionid",  "customer", "reviewer"};
    static constexpr std::string_view items[] = {
        "itemid",  "item",    "parentasin", "asin",   "movieid",  "productid", "businessid",
        "bookid",  "isbn",    "trackid",    "songid", "artistid", "articleid", "newsid",
        "videoid", "animeid", "recipeid",   "gameid", "appid",    "gmapid",    "placeid",
        "venueid", "iid",     "sku",        "movie",  "product"};
    static constexpr std::string_view ratings[] = {"rating", "ratings", "overall",    "stars",
                                                   "star",   "score",   "bookrating", "starrating"};
    static constexpr std::string_view timestamps[] = {
        "timestamp", "time", "unixreviewtime", "unixtimestamp", "timestampms", "reviewtime",
        "datetime",  "date", "createdat",      "eventtime",     "ts"};
    static constexpr std::string_view labels[] = {"xlabel"};
    switch (role) {
    case ColumnRole::user:
        return users;
    case ColumnRole::item:
        return items;
    case ColumnRole::rating:
        return ratings;
    case ColumnRole::timestamp:
        return timestamps;
    case ColumnRole::label:
        return labels;
    }
    return {};
}

/// The column of that role, or none.
inline std::optional<std::size_t> find_column(std::span<std::string const> header,
                                              ColumnRole role) {
    std::vector<std::string> plain;
    for (auto const& name : header) plain.push_back(plain_column_name(name));
    for (auto const known : plain_names_of(role)) {
        auto const found = std::find(plain.begin(), plain.end(), known);
        if (found != plain.end()) return static_cast<std::size_t>(found - plain.begin());
    }
    return std::nullopt;
}

/// The separator of the fields of a line: of "::", tab, comma, semicolon, vertical bar and blank the first that occurs
/// in it outside of quotes; a comma where none does.
inline std::string guess_separator(std::string_view line) {
    std::string bare;
    bool is_quoted = false;
    for (char const c : line) {
        if (c == '"') is_quoted = !is_quoted;
        if (!is_quoted) bare += c;
    }
    for (std::string_view const each : {"::", "\t", ",", ";", "|", " "})
        if (bare.find(each) != std::string::npos) return std::string(each);
    return ",";
}

/// "a tab", "','", ..., as messages have it.
inline std::string shown_separator(std::string_view separator) {
    if (separator == "\t") return "tabs";
    if (separator == " ") return "blanks";
    return "'" + std::string(separator) + "'";
}

/// What a layout is called in messages. `header`: the names of the columns; none where the table has no header.
inline std::string layout_name(std::span<std::string const> header, std::string_view separator,
                               std::size_t n_fields) {
    auto const separated = ", separated by " + shown_separator(separator);
    if (header.empty()) {
        if (separator == "\t" && n_fields == 4) return "MovieLens's u.data, without a header";
        if (separator == "::" && n_fields == 4) return "MovieLens's ratings.dat, without a header";
        return "a table without a header" + separated;
    }
    std::vector<std::string> plain;
    for (auto const& name : header) plain.push_back(plain_column_name(name));
    auto const has = [&](std::string_view name) {
        return std::find(plain.begin(), plain.end(), name) != plain.end();
    };
    auto const typed = [](std::string const& name) { return name.find(':') != std::string::npos; };
    if (std::all_of(header.begin(), header.end(), typed)) return "RecBole's atomic file";
    if (has("userid") && has("itemid") && has("xlabel")) return "an .inter file";
    if (has("userid") && has("movieid") && separator == ",") return "MovieLens's ratings.csv";
    if (has("parentasin")) return "Amazon's reviews of 2023" + separated;
    if (has("reviewerid") && has("asin")) return "Amazon's reviews" + separated;
    return "a table with a header" + separated;
}

namespace detail {

// The first line, without a byte order mark and line end.
inline std::string_view first_line(std::string_view text) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    auto line = text.substr(0, text.find('\n'));
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

// Fields of a line, of which quotes are taken away.
inline std::vector<std::string> plain_fields(std::string_view line, std::string_view separator) {
    std::vector<std::string> result;
    for (;;) {
        auto const end = line.find(separator);
        auto field = line.substr(0, end);
        if (field.size() >= 2 && field.front() == '"' && field.back() == '"')
            field = field.substr(1, field.size() - 2);
        result.emplace_back(field);
        if (end == std::string_view::npos) return result;
        line.remove_prefix(end + separator.size());
    }
}

// An unsigned decimal number.
inline bool is_plain_number(std::string_view field) {
    return !field.empty() && field.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace detail

/// What a text that is no `.inter` file looks like, or nothing where it looks like no table of interactions.
inline std::string guess_layout(std::string_view text) {
    if (text.starts_with("\x1F\x8B")) return "a gz file";
    auto const line = detail::first_line(text);
    if (line.empty()) return {};
    if (line.find_first_not_of(" \t") != std::string_view::npos &&
        line[line.find_first_not_of(" \t")] == '{')
        return "JSON lines";
    auto const separator = guess_separator(line);
    auto const fields = detail::plain_fields(line, separator);
    if (find_column(fields, ColumnRole::user) && find_column(fields, ColumnRole::item))
        return layout_name(fields, separator, fields.size());
    if (fields.size() >= 2 && detail::is_plain_number(fields.back()))
        return layout_name({}, separator, fields.size());
    return {};
}

}  // namespace polder::recsys
