/// Reader of `.inter` files: tab-separated interactions with a header line, one per row.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "recsys/data/columns.hpp"
#include "recsys/data/dataset.hpp"

namespace polder::recsys {

namespace detail {

/// The content of a file. Throws std::runtime_error that names it and says why it cannot be read.
inline std::string read_text_file(std::filesystem::path const& file) {
    std::error_code error;
    if (!std::filesystem::exists(file, error))
        throw std::runtime_error(file.string() + ": no such file");
    if (std::filesystem::is_directory(file, error))
        throw std::runtime_error(file.string() + ": is a directory, expected a file");
    std::ifstream stream(file, std::ios::binary);
    std::string text;
    char part[1 << 16];
    while (stream.read(part, sizeof part) || stream.gcount() > 0)
        text.append(part, static_cast<std::size_t>(stream.gcount()));
    if (!stream.eof()) throw std::runtime_error(file.string() + ": cannot be read");
    return text;
}

/// One pass over the text of an `.inter` file, line by line.
class InterParser {
public:
    InterParser(std::string file, std::string_view text)
        : file_(std::move(file)), text_(text), rest_(text) {
        if (rest_.starts_with("\xEF\xBB\xBF"))  // UTF-8 byte order mark
            rest_.remove_prefix(3);
        auto const lines = std::count(rest_.begin(), rest_.end(), '\n');
        id_limit_ =
            std::clamp<std::int64_t>(10 * static_cast<std::int64_t>(lines), 100'000, 1'000'000'000);
    }

    void read_header() {
        if (!next_line())
            fail(1, "the file is empty, expected a header line with " + wanted_columns());
        for (std::size_t column = 0; column < names.size(); ++column) {
            auto const found = std::find(fields_.begin(), fields_.end(), names[column]);
            if (found == fields_.end())
                fail(line_, "column '" + std::string(names[column]) + "' is missing, expected " +
                                wanted_columns() + " separated by tabs, found: " + header() +
                                remedy());
            if (std::find(found + 1, fields_.end(), names[column]) != fields_.end())
                fail(line_, "column '" + std::string(names[column]) + "' occurs twice");
            position_[column] = static_cast<std::size_t>(found - fields_.begin());
        }
        n_fields_ = fields_.size();
    }

    /// {user, item, label} of the next row; false at the end.
    bool read_row(std::array<std::int32_t, 3>& row) {
        if (!next_line()) return false;
        if (fields_.size() != n_fields_)
            fail(line_, std::to_string(fields_.size()) + " fields, expected " +
                            std::to_string(n_fields_) + " as in the header");
        for (std::size_t column = 0; column < names.size(); ++column)
            row[column] = integer(names[column], fields_[position_[column]], column == 2);
        return true;
    }

private:
    static constexpr std::array<std::string_view, 3> names{"userID", "itemID", "x_label"};

    static std::string wanted_columns() { return "columns userID, itemID, x_label"; }

    [[noreturn]] void fail(std::size_t line, std::string const& message) const {
        throw std::runtime_error(file_ + ":" + std::to_string(line) + ": " + message);
    }

    // What the file looks like, and the command that makes an .inter file of it.
    std::string remedy() const {
        auto const layout = guess_layout(text_);
        auto const is_inter = layout == "an .inter file";
        if (layout.empty() || is_inter) return is_inter ? prepare_reads("") : "";
        return prepare_reads("it looks like " + layout + ": ");
    }
    std::string prepare_reads(std::string const& what) const {
        return "; " + what + "polder-recsys prepare " + file_ + " --output DIR makes data of it";
    }

    // The columns of the header, the first of them if there are many.
    std::string header() const {
        constexpr std::size_t limit = 12;
        std::string text;
        for (std::size_t k = 0; k < std::min(fields_.size(), limit); ++k)
            text += (k == 0 ? "" : ", ") + shown(fields_[k]);
        if (fields_.size() > limit)
            text += " and " + std::to_string(fields_.size() - limit) + " more";
        return text;
    }

    // A field as it may be printed: quoted, short, without control characters.
    static std::string shown(std::string_view field) {
        std::string text = "'";
        for (char const c : field.substr(0, 40))
            text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
        return text + (field.size() > 40 ? "...'" : "'");
    }

    // Splits the next line into fields_. Blank lines count as the end if nothing follows them.
    bool next_line() {
        if (rest_.find_first_not_of("\r\n") == std::string_view::npos) return false;
        ++line_;
        auto const end = rest_.find('\n');
        auto line = rest_.substr(0, end);
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        fields_.clear();
        for (;;) {
            auto const tab = line.find('\t');
            fields_.push_back(line.substr(0, tab));
            if (tab == std::string_view::npos) return true;
            line.remove_prefix(tab + 1);
        }
    }

    std::int32_t integer(std::string_view name, std::string_view field, bool is_label) const {
        std::int64_t value = 0;
        auto const end = field.data() + field.size();
        auto const result = std::from_chars(field.data(), end, value);
        auto const found = [&] { return std::string(name) + " is " + shown(field); };
        bool const is_too_large = result.ec == std::errc::result_out_of_range;
        if (result.ec == std::errc::invalid_argument || result.ptr != end)
            fail(line_, found() + ", expected an integer" +
                            (is_label ? "" : prepare_reads("ids may be text where ")));
        if (is_label && (is_too_large || value < 0 || value > 2))
            fail(line_, found() + ", expected 0 (train), 1 (valid) or 2 (test)");
        if (field.front() == '-' && (is_too_large || value < 0))
            fail(line_, found() + ", expected an id of 0 or more");
        if (is_too_large || value >= id_limit_)
            fail(line_, found() + ", expected an id below " + std::to_string(id_limit_) +
                            ": ids start at 0 and are dense, and the file is short");
        return static_cast<std::int32_t>(value);
    }

    std::string file_;
    std::string_view text_, rest_;
    std::size_t line_ = 0;
    std::size_t n_fields_ = 0;
    std::int64_t id_limit_;
    std::vector<std::string_view> fields_;
    std::array<std::size_t, 3> position_{};
};

// Removes the rows whose user has no row in train, and says how many there were.
inline std::size_t drop_cold_users(std::vector<Interaction>& rows, std::vector<bool> const& warm) {
    return std::erase_if(
        rows, [&](Interaction const& row) { return !warm[static_cast<std::size_t>(row.user)]; });
}

}  // namespace detail

/// Reads interactions from tab-separated text with a header line. Columns are found by name:
/// `userID`, `itemID`, and `x_label` (0 train, 1 valid, 2 test); their order is free and other
/// columns are ignored. Line ends are LF or CRLF.
///
/// Ids are dense and start at 0, so n_users = 1 + max(userID) over all rows, and n_items likewise;
/// an id of 10 times the number of lines (at least 100,000) is refused, because memory for all ids
/// below it would be needed. Rows of valid and test whose user has no row in train are dropped and
/// counted. Throws std::runtime_error "file:line: what is wrong, what was expected".
inline Dataset parse_inter(std::string_view text, std::string const& file) {
    detail::InterParser parser(file, text);
    parser.read_header();

    Dataset data;
    std::array<std::vector<Interaction>*, 3> const splits{&data.train, &data.valid, &data.test};
    std::array<std::int32_t, 3> row{};
    data.first_user = data.first_item = std::numeric_limits<std::int32_t>::max();
    while (parser.read_row(row)) {
        data.first_user = std::min(data.first_user, row[0]);
        data.first_item = std::min(data.first_item, row[1]);
        data.n_users = std::max(data.n_users, row[0] + 1);
        data.n_items = std::max(data.n_items, row[1] + 1);
        splits[static_cast<std::size_t>(row[2])]->push_back({row[0], row[1]});
    }
    if (data.train.empty())
        throw std::runtime_error(file + ": no row with x_label 0, expected training interactions");

    std::vector<bool> is_warm(static_cast<std::size_t>(data.n_users));
    for (auto const& interaction : data.train)
        is_warm[static_cast<std::size_t>(interaction.user)] = true;
    data.dropped_valid = detail::drop_cold_users(data.valid, is_warm);
    data.dropped_test = detail::drop_cold_users(data.test, is_warm);
    data.name = std::filesystem::path(file).stem().string();
    return data;
}

/// The `.inter` file of a data set: `path` itself if it is a file, else `path`/<name>.inter with
/// the directory's own name, else the only `.inter` file in it. Throws std::runtime_error.
inline std::filesystem::path find_inter_file(std::filesystem::path const& path) {
    namespace fs = std::filesystem;
    std::error_code error;
    if (!fs::exists(path, error))
        throw std::runtime_error(path.string() + ": no such file or directory");
    if (!fs::is_directory(path, error)) return path;

    auto const canonical = fs::weakly_canonical(path, error);
    if (auto const named = path / (canonical.filename().string() + ".inter"); fs::exists(named))
        return named;
    std::vector<fs::path> found;
    for (auto const& entry : fs::directory_iterator(path, error))
        if (entry.path().extension() == ".inter") found.push_back(entry.path());
    if (error) throw std::runtime_error(path.string() + ": cannot be listed: " + error.message());
    if (found.size() == 1) return found.front();
    if (found.empty())
        throw std::runtime_error(path.string() +
                                 ": no .inter file in this directory; polder-recsys prepare FILE "
                                 "--output DIR makes one of a table of interactions");
    std::sort(found.begin(), found.end());
    std::string message = path.string() + ": several .inter files, name one of them:";
    for (auto const& file : found) message.append(" ").append(file.filename().string());
    throw std::runtime_error(message);
}

/// Reads the `.inter` file that `find_inter_file` finds, as `parse_inter` does.
inline Dataset read_inter(std::filesystem::path const& path) {
    auto const file = find_inter_file(path);
    return parse_inter(detail::read_text_file(file), file.string());
}

}  // namespace polder::recsys
