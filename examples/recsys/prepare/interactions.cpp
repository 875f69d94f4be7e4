#include "recsys/prepare/interactions.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <utility>

#include "recsys/data/columns.hpp"
#include "recsys/prepare/table.hpp"
#include "recsys/prepare/text_file.hpp"

namespace polder::recsys {

namespace {

using Columns = std::array<std::optional<std::size_t>, n_column_roles>;

std::optional<std::size_t>& at(Columns& columns, ColumnRole role) {
    return columns[static_cast<std::size_t>(role)];
}

bool is_known_name(std::string const& name) {
    auto const plain = plain_column_name(name);
    for (auto const role : {ColumnRole::user, ColumnRole::item})
        for (auto const known : plain_names_of(role))
            if (plain == known) return true;
    return false;
}

// An Amazon product: ten characters, B0 and others, or the digits of an ISBN.
bool is_asin(std::string_view id) {
    if (id.size() != 10) return false;
    if (id.starts_with("B0")) return true;
    auto const digits = id.substr(0, 9);
    return digits.find_first_not_of("0123456789") == std::string_view::npos;
}

// The columns of a table without a header, by what its first row has: user, item, then rating and time in either order.
// `has_options`: see TableChoice.
Columns columns_of_first_row(std::vector<std::string_view> const& row, std::string const& file,
                             bool has_options) {
    Columns columns{0, 1};
    if (row.size() >= 2 && is_asin(row[0]) && !is_asin(row[1]) && !parse_number(row[1]))
        columns = {1, 0};
    auto const is_time = [](double value) { return value >= 1e8; };
    std::vector<std::size_t> others;
    for (std::size_t k = 2; k < row.size(); ++k) {
        auto const number = parse_number(row[k]);
        if (!number && !parse_date(row[k])) continue;
        auto& column =
            at(columns, !number || is_time(*number) ? ColumnRole::timestamp : ColumnRole::rating);
        if (!column) column = k;
    }
    bool const is_data =
        row.size() == 2 ? parse_number(row[0]) && parse_number(row[1])
                        : at(columns, ColumnRole::timestamp) || at(columns, ColumnRole::rating);
    if (row.size() < 2)
        throw std::runtime_error(file + ":1: a single column, expected users and items" +
                                 (has_options ? "; --separator says what is between them"
                                              : " with a comma or a tab between them"));
    if (!is_data) {
        std::string shown;
        for (auto const field : row) shown += (shown.empty() ? "" : ", ") + shown_text(field);
        throw std::runtime_error(
            file + ":1: neither names of columns that are known nor a row of data: " + shown +
            (has_options
                 ? "; expected --user NAME --item NAME, with numbers from 1 where --no-header"
                 : "; expected a first line with the names user and item"));
    }
    return columns;
}

std::string describe_columns(TableFormat const& format, Columns const& columns) {
    std::string text;
    for (std::size_t role = 0; role < n_column_roles; ++role) {
        if (!columns[role]) continue;
        auto const k = *columns[role];
        text += std::string(text.empty() ? "" : ", ") +
                std::string(name_of(static_cast<ColumnRole>(role))) + " is " +
                (format.header.empty() ? "column " + std::to_string(k + 1)
                                       : shown_text(format.header[k]));
    }
    return text;
}

// Numbers ids; of those that come for the first time the bytes are looked at.
std::uint32_t number_of(Ids& ids, std::string_view id, std::string_view what,
                        TableReader const& reader) {
    auto const before = ids.size();
    auto const number = ids.number(id);
    if (ids.size() > before && !is_utf8(id))
        reader.fail(std::string(what) +
                    " is not UTF-8: " + shown_text(std::string(id.size(), '?')) +
                    "; iconv -f ISO-8859-1 -t UTF-8 makes it so");
    return number;
}

std::string_view trimmed(std::string_view text) {
    auto const begin = text.find_first_not_of(' ');
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

}  // namespace

std::string read_interactions(std::string const& file, TableChoice const& choice,
                              RawInteractions& into) {
    TextFile const source(file);
    auto const text = source.text();
    std::optional<bool> has_header;
    if (choice.has_no_header) has_header = false;
    auto format = recognise_format(text, file, choice.separator, has_header, is_known_name);

    // A column that is given by a name is in a header, which need not have names that are known.
    std::array<std::optional<std::string>, n_column_roles> const given{
        choice.user, choice.item, choice.rating, choice.timestamp, std::nullopt};
    if (!format.is_json && !format.has_header && !choice.has_no_header) {
        auto const with_header =
            recognise_format(text, file, choice.separator, true, is_known_name);
        for (auto const& name : given)
            if (name && std::find(with_header.header.begin(), with_header.header.end(), *name) !=
                            with_header.header.end())
                format = with_header;
    }
    Columns columns;
    if (!format.header.empty()) {
        for (std::size_t role = 0; role < n_column_roles; ++role)
            columns[role] = find_column(format.header, static_cast<ColumnRole>(role));
    } else if (!choice.user || !choice.item) {
        std::vector<std::size_t> all(format.n_fields);
        for (std::size_t k = 0; k < all.size(); ++k) all[k] = k;
        TableReader reader(text, file, format, all);
        std::vector<std::string_view> row;
        reader.next(row);
        columns = columns_of_first_row(row, file, choice.has_options);
    }
    constexpr std::array<char const*, n_column_roles> options{"--user", "--item", "--rating",
                                                              "--timestamp", ""};
    for (std::size_t role = 0; role < n_column_roles; ++role)
        if (given[role]) columns[role] = column_of(format, file, options[role], *given[role]);
    for (auto const role : {ColumnRole::user, ColumnRole::item})
        if (!at(columns, role)) {
            std::string known;
            for (auto const& name : format.header) known += (known.empty() ? "" : ", ") + name;
            std::string const name(name_of(role));
            throw std::runtime_error(
                file + ": no column is known as that of the " + name + "s; expected " +
                (choice.has_options ? "--" + name + " NAME, one of: " + known
                                    : "one with the name " + name + ", found: " + known));
        }
    std::vector<std::size_t> wanted;
    std::array<std::size_t, n_column_roles> slots{};
    for (std::size_t role = 0; role < n_column_roles; ++role) {
        slots[role] = wanted.size();
        if (!columns[role]) continue;
        if (std::find(wanted.begin(), wanted.end(), *columns[role]) != wanted.end())
            throw std::runtime_error(file + ": " + options[role] +
                                     ": this column has another role already");
        wanted.push_back(*columns[role]);
    }
    auto const said =
        file + ": " +
        (format.is_json ? std::string("JSON lines")
                        : layout_name(format.header, format.separator, format.n_fields)) +
        "; " + describe_columns(format, columns);
    bool const has_rating = at(columns, ColumnRole::rating).has_value();
    bool const has_time = at(columns, ColumnRole::timestamp).has_value();
    bool const has_label = at(columns, ColumnRole::label).has_value();
    into.has_rating = into.has_rating && has_rating;
    into.has_time = into.has_time && has_time;
    into.has_label = into.has_label && has_label;

    // About as many rows as the first part of the text lets expect.
    auto const part = text.substr(0, 1 << 16);
    auto const lines = static_cast<std::size_t>(std::count(part.begin(), part.end(), '\n'));
    if (lines > 0) {
        auto const share = static_cast<double>(text.size()) / static_cast<double>(part.size());
        into.rows.reserve(into.rows.size() +
                          static_cast<std::size_t>(1.02 * share * static_cast<double>(lines)) + 16);
    }
    constexpr auto nan = std::numeric_limits<double>::quiet_NaN();
    TableReader reader(text, file, format, wanted);
    std::vector<std::string_view> fields;
    while (reader.next(fields)) {
        ++into.n_read;
        auto const user = fields[slots[0]], item = fields[slots[1]];
        if (user.empty() || item.empty()) {
            ++into.n_without;
            continue;
        }
        RawRow row{0, 0, std::numeric_limits<float>::quiet_NaN(), no_label, nan};
        if (has_rating)
            if (auto const field = trimmed(fields[slots[2]]); !field.empty()) {
                auto const number = parse_number(field);
                if (!number)
                    reader.fail("the rating is " + shown_text(field) + ", expected a number");
                row.rating = static_cast<float>(*number);
            }
        if (has_time)
            if (auto const field = trimmed(fields[slots[3]]); !field.empty()) {
                auto time = parse_number(field);
                if (!time) time = parse_date(field);
                if (!time)
                    reader.fail("the timestamp is " + shown_text(field) +
                                ", expected a number or a date as 2023-05-01 12:30:00");
                row.time = *time;
            }
        if (has_label) {
            auto const field = trimmed(fields[slots[4]]);
            if (field != "0" && field != "1" && field != "2")
                reader.fail("x_label is " + shown_text(field) +
                            ", expected 0 (train), 1 (valid) or 2 (test)");
            row.label = static_cast<std::uint8_t>(field.front() - '0');
        }
        row.user = number_of(into.users, user, "the user", reader);
        row.item = number_of(into.items, item, "the item", reader);
        into.rows.push_back(row);
        if (has_label) into.lines.push_back(static_cast<std::uint32_t>(reader.line()));
    }
    return said;
}

namespace {

// Numbers `ids` anew in this order; returns the new number of each old one.
std::vector<std::uint32_t> renumber(Ids& ids, std::vector<std::uint32_t> const& order) {
    Ids ordered;
    std::vector<std::uint32_t> result(ids.size(), std::numeric_limits<std::uint32_t>::max());
    for (auto const old : order) result[old] = ordered.number(ids[old]);
    ids = std::move(ordered);
    return result;
}

void apply(std::vector<RawRow>& rows, std::vector<std::uint32_t> const& users,
           std::vector<std::uint32_t> const& items) {
    for (auto& row : rows) {
        row.user = users[row.user];
        row.item = items[row.item];
    }
}

// What is not a number comes first.
double order_of(double value) {
    return std::isnan(value) ? -std::numeric_limits<double>::infinity() : value;
}

}  // namespace

void sort_interactions(RawInteractions& data) {
    apply(data.rows, renumber(data.users, data.users.sorted()),
          renumber(data.items, data.items.sorted()));
    drop_unused_ids(data);
    // First by user, by counting; then each user's rows by themselves.
    std::vector<std::size_t> begin(data.users.size() + 1);
    for (auto const& row : data.rows) ++begin[row.user + 1];
    for (std::size_t user = 1; user < begin.size(); ++user) begin[user] += begin[user - 1];
    std::vector<RawRow> sorted(data.rows.size());
    auto next = begin;
    for (auto const& row : data.rows) sorted[next[row.user]++] = row;
    data.rows = std::move(sorted);
    auto const key = [](RawRow const& row) {
        return std::tuple(order_of(row.time), row.item, order_of(double{row.rating}), row.label);
    };
    for (std::size_t user = 0; user + 1 < begin.size(); ++user)
        std::sort(data.rows.begin() + static_cast<std::ptrdiff_t>(begin[user]),
                  data.rows.begin() + static_cast<std::ptrdiff_t>(begin[user + 1]),
                  [&](RawRow const& a, RawRow const& b) { return key(a) < key(b); });
}

void drop_unused_ids(RawInteractions& data) {
    auto const used = [](Ids const& ids, std::vector<RawRow> const& rows,
                         std::uint32_t RawRow::*id) {
        std::vector<bool> is_used(ids.size());
        for (auto const& row : rows) is_used[row.*id] = true;
        std::vector<std::uint32_t> order;
        for (std::uint32_t n = 0; n < is_used.size(); ++n)
            if (is_used[n]) order.push_back(n);
        return order;
    };
    auto const users = used(data.users, data.rows, &RawRow::user);
    auto const items = used(data.items, data.rows, &RawRow::item);
    if (users.size() == data.users.size() && items.size() == data.items.size()) return;
    apply(data.rows, renumber(data.users, users), renumber(data.items, items));
}

}  // namespace polder::recsys
