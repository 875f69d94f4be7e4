#include "recsys/prepare/features.hpp"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <utility>

#include "recsys/data/columns.hpp"
#include "recsys/data/npy.hpp"
#include "recsys/prepare/table.hpp"
#include "recsys/prepare/text_file.hpp"

namespace polder::recsys {

namespace {

bool is_item_name(std::string const& name) {
    auto const plain = plain_column_name(name);
    auto const known = plain_names_of(ColumnRole::item);
    return plain == "id" || std::find(known.begin(), known.end(), plain) != known.end();
}

// The column of the ids of items, by name, else the first.
std::size_t id_column(TableFormat const& format) {
    if (auto const found = find_column(format.header, ColumnRole::item)) return *found;
    for (std::size_t k = 0; k < format.header.size(); ++k)
        if (plain_column_name(format.header[k]) == "id") return k;
    return 0;
}

void fill_missing(PreparedFeatures& features, std::vector<bool> const& is_there,
                  std::string const& file) {
    auto& matrix = features.matrix;
    std::vector<double> mean(matrix.columns);
    std::size_t n = 0;
    for (std::size_t item = 0; item < matrix.rows; ++item) {
        if (!is_there[item]) continue;
        ++n;
        for (std::size_t k = 0; k < matrix.columns; ++k) mean[k] += double{matrix.row(item)[k]};
    }
    if (n == 0)
        throw std::runtime_error(file +
                                 ": no item of the interactions has a row; are the ids the same?");
    features.n_missing = matrix.rows - n;
    for (std::size_t item = 0; item < matrix.rows; ++item)
        for (std::size_t k = 0; !is_there[item] && k < matrix.columns; ++k)
            matrix.values[item * matrix.columns + k] =
                static_cast<float>(mean[k] / static_cast<double>(n));
}

PreparedFeatures features_of_npy(std::string const& file, std::string const& ids,
                                 Ids const& items) {
    auto const all = read_npy(file);
    constexpr auto none = std::numeric_limits<std::size_t>::max();
    std::vector<std::size_t> row_of_item(items.size(), none);
    if (ids.empty()) {
        for (std::size_t item = 0; item < items.size(); ++item) {
            auto const number = parse_number(items[item]);
            if (items[item].find_first_not_of("0123456789") != std::string_view::npos || !number)
                throw std::runtime_error(
                    file + ": which row belongs to item " + shown_text(items[item]) +
                    "? expected --features NAME=FILE.npy,IDS with a file of ids, one on each "
                    "line, in the order of the rows");
            if (*number < static_cast<double>(all.rows))
                row_of_item[item] = static_cast<std::size_t>(*number);
        }
    } else {
        TextFile const source(ids);
        auto rest = source.text();
        std::size_t row = 0;
        for (; !rest.empty(); ++row) {
            auto const end = rest.find('\n');
            auto id = rest.substr(0, end);
            rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
            if (id.ends_with('\r')) id.remove_suffix(1);
            if (auto const item = items.find(id); item && row_of_item[*item] == none)
                row_of_item[*item] = row;
        }
        if (row != all.rows)
            throw std::runtime_error(ids + ": has " + std::to_string(row) + " lines, expected " +
                                     std::to_string(all.rows) + ", the rows of " + file);
    }
    PreparedFeatures result{{items.size(), all.columns, {}}, 0};
    result.matrix.values.resize(items.size() * all.columns);
    std::vector<bool> is_there(items.size());
    for (std::size_t item = 0; item < items.size(); ++item) {
        if (row_of_item[item] == none) continue;
        is_there[item] = true;
        auto const row = all.row(row_of_item[item]);
        std::copy(row.begin(), row.end(),
                  result.matrix.values.begin() + static_cast<std::ptrdiff_t>(item * all.columns));
    }
    fill_missing(result, is_there, file);
    return result;
}

}  // namespace

PreparedFeatures read_item_features(std::string const& file, std::string const& ids,
                                    Ids const& items) {
    if (std::filesystem::path(file).extension() == ".npy") return features_of_npy(file, ids, items);
    if (!ids.empty())
        throw std::runtime_error(file + ": has ids in itself, and takes no file of ids");
    TextFile const source(file);
    auto const text = source.text();
    auto format = recognise_format(text, file, std::nullopt, std::nullopt, is_item_name);
    if (format.is_json)
        throw std::runtime_error(file + ": is JSON, expected npy, or a table of ids and numbers");
    if (!format.has_header) {
        // A first row whose second field is no number is a header, too.
        auto const with_header = recognise_format(text, file, std::nullopt, true, is_item_name);
        if (with_header.header.size() > 1 && !parse_number(with_header.header[1]))
            format = with_header;
    }
    if (format.n_fields < 2)
        throw std::runtime_error(file + ": a single column, expected ids and numbers");
    std::vector<std::size_t> wanted{id_column(format)};
    for (std::size_t k = 0; k < format.n_fields; ++k)
        if (k != wanted.front()) wanted.push_back(k);
    PreparedFeatures result{{items.size(), format.n_fields - 1, {}}, 0};
    result.matrix.values.resize(result.matrix.rows * result.matrix.columns);
    std::vector<bool> is_there(items.size());
    TableReader reader(text, file, format, wanted);
    std::vector<std::string_view> fields;
    while (reader.next(fields)) {
        auto const item = items.find(fields[0]);
        for (std::size_t k = 1; k < fields.size(); ++k) {
            auto const value = parse_number(fields[k]);
            if (!value)
                reader.fail("a feature is " + shown_text(fields[k]) + ", expected a number");
            if (item && !is_there[*item])
                result.matrix.values[*item * result.matrix.columns + k - 1] =
                    static_cast<float>(*value);
        }
        if (item) is_there[*item] = true;
    }
    fill_missing(result, is_there, file);
    return result;
}

ItemTexts read_item_texts(std::string const& file, TableChoice const& choice,
                          std::string const& title, std::vector<std::string> const& text,
                          Ids const& items) {
    TextFile const source(file);
    auto format = recognise_format(
        source.text(), file, choice.separator,
        choice.has_no_header ? std::optional(false) : std::optional(true), is_item_name);
    auto const id =
        choice.item ? column_of(format, file, "--item-id", *choice.item) : id_column(format);
    // A column may be asked for twice: as title, and as a part of the text.
    std::vector<std::size_t> wanted{id}, of_text;
    auto const slot = [&](std::string const& option, std::string const& name) {
        auto const column = column_of(format, file, option, name);
        auto const found = std::find(wanted.begin(), wanted.end(), column);
        auto const place = static_cast<std::size_t>(found - wanted.begin());
        if (found == wanted.end()) wanted.push_back(column);
        return place;
    };
    auto const of_title = title.empty() ? 0 : slot("--title", title);
    for (auto const& name : text) of_text.push_back(slot("--text", name));
    ItemTexts result;
    if (!title.empty()) result.titles.resize(items.size());
    if (!text.empty()) result.texts.resize(items.size());
    std::vector<bool> is_there(items.size());
    auto const take = [](std::string& to, std::string_view value) {
        if (!value.empty() && (to.empty() || value < to)) to = value;
    };
    TableReader reader(source.text(), file, format, wanted);
    std::vector<std::string_view> fields;
    while (reader.next(fields)) {
        auto const item = items.find(fields[0]);
        if (!item) continue;
        is_there[*item] = true;
        if (!title.empty()) take(result.titles[*item], fields[of_title]);
        std::string joined;
        for (auto const k : of_text) joined.append(joined.empty() ? "" : " ").append(fields[k]);
        if (!text.empty()) take(result.texts[*item], joined);
    }
    result.n_found = static_cast<std::size_t>(std::count(is_there.begin(), is_there.end(), true));
    if (result.n_found == 0)
        throw std::runtime_error(
            file + ": no item of the interactions has a row; the ids were looked for in column " +
            (format.header.empty() ? std::to_string(id + 1) : shown_text(format.header[id])) +
            ", --item-id NAME says another");
    auto const texts = [&](std::vector<std::string> const& all, std::string const& what) {
        for (std::size_t item = 0; item < all.size(); ++item)
            if (!is_utf8(all[item]))
                throw std::runtime_error(file + ": the " + what + " of item " +
                                         shown_text(items[item]) + " is not UTF-8");
    };
    texts(result.titles, "title");
    return result;
}

}  // namespace polder::recsys
