#include "recsys/prepare/id_files.hpp"

#include <charconv>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "recsys/prepare/table.hpp"
#include "recsys/prepare/text_file.hpp"

namespace polder::recsys {

namespace {

void append_escaped(std::string& to, std::string_view text) {
    for (char const c : text) {
        if (c == '\t')
            to += "\\t";
        else if (c == '\n')
            to += "\\n";
        else if (c == '\r')
            to += "\\r";
        else if (c == '\\')
            to += "\\\\";
        else
            to += c;
    }
}

std::string unescaped(std::string_view text) {
    std::string result;
    for (std::size_t k = 0; k < text.size(); ++k) {
        if (text[k] != '\\' || k + 1 == text.size()) {
            result += text[k];
            continue;
        }
        char const c = text[++k];
        result += c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
    }
    return result;
}

}  // namespace

std::string text_of_ids(IdTable const& table) {
    std::string text = table.titles.empty() ? "number\tid\n" : "number\tid\ttitle\n";
    for (std::size_t n = 0; n < table.ids.size(); ++n) {
        text += std::to_string(n) + '\t';
        append_escaped(text, table.ids[n]);
        if (!table.titles.empty()) {
            text += '\t';
            append_escaped(text, table.titles[n]);
        }
        text += '\n';
    }
    return text;
}

IdTable read_id_table(std::filesystem::path const& file) {
    TextFile const source(file);
    auto rest = source.text();
    IdTable table;
    std::size_t line = 0;
    auto const fail = [&](std::string const& what) {
        throw std::runtime_error(file.string() + ":" + std::to_string(line) + ": " + what);
    };
    bool has_titles = false;
    while (!rest.empty()) {
        ++line;
        auto const end = rest.find('\n');
        auto text = rest.substr(0, end);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        if (text.ends_with('\r')) text.remove_suffix(1);
        if (line == 1) {
            has_titles = text == "number\tid\ttitle";
            if (!has_titles && text != "number\tid")
                fail("expected the columns number, id and, perhaps, title, separated by tabs");
            continue;
        }
        if (text.empty() && rest.empty()) break;
        auto const tab = text.find('\t');
        if (tab == std::string_view::npos) fail("expected a number and an id");
        auto const next = has_titles ? text.find('\t', tab + 1) : std::string_view::npos;
        if (has_titles && next == std::string_view::npos)
            fail("expected a number, an id and a title");
        std::size_t number = 0;
        auto const result = std::from_chars(text.data(), text.data() + tab, number);
        if (result.ec != std::errc{} || result.ptr != text.data() + tab || number + 2 != line)
            fail("the number is " + shown_text(text.substr(0, tab)) + ", expected " +
                 std::to_string(line - 2));
        auto const id =
            unescaped(text.substr(tab + 1, next == std::string_view::npos ? next : next - tab - 1));
        if (table.ids.number(id) != number) fail("the id " + shown_text(id) + " occurs twice");
        if (has_titles) table.titles.push_back(unescaped(text.substr(next + 1)));
    }
    if (line == 0) throw std::runtime_error(file.string() + ": the file is empty");
    return table;
}

Names::Names(std::filesystem::path const& folder, std::string const& file, std::string what,
             std::int32_t n)
    : what_(std::move(what)), n_(n) {
    std::error_code error;
    auto const path = folder / file;
    if (folder.empty() || !std::filesystem::is_regular_file(path, error)) return;
    table_ = read_id_table(path);
    file_ = path.string();
    if (table_->ids.size() < static_cast<std::size_t>(n))
        throw std::runtime_error(file_ + ": has " + std::to_string(table_->ids.size()) +
                                 " ids, expected those of " + std::to_string(n) + " " + what_ +
                                 "s");
}

std::string Names::operator()(std::int32_t number) const {
    return table_ ? std::string(table_->ids[static_cast<std::size_t>(number)])
                  : std::to_string(number);
}

std::string Names::title(std::int32_t number) const {
    return table_ ? table_->title(static_cast<std::size_t>(number)) : std::string();
}

std::optional<std::int32_t> Names::find(std::string_view id) const {
    if (table_) {
        auto const number = table_->ids.find(id);
        if (!number || *number >= static_cast<std::uint32_t>(n_)) return std::nullopt;
        return static_cast<std::int32_t>(*number);
    }
    std::int32_t number = 0;
    auto const result = std::from_chars(id.data(), id.data() + id.size(), number);
    if (result.ec != std::errc{} || result.ptr != id.data() + id.size() || number < 0 ||
        number >= n_)
        return std::nullopt;
    return number;
}

std::int32_t Names::number(std::string_view id) const {
    if (auto const found = find(id)) return *found;
    if (table_)
        throw std::invalid_argument(what_ + " " + shown_text(id) + " is not in " + file_ +
                                    ", whose first is " + shown_text(table_->ids[0]));
    auto const shown = shown_text(id);
    throw std::invalid_argument(what_ + " " + shown.substr(1, shown.size() - 2) +
                                ", expected 0 to " + std::to_string(n_ - 1) + ": the data has no " +
                                what_ + "s.tsv, so its numbers are the ids");
}

}  // namespace polder::recsys
