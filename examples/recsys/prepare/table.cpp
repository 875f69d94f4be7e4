#include "recsys/prepare/table.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include "recsys/data/columns.hpp"

namespace polder::recsys {

namespace {

// Takes from one object the values of wanted keys, as text.
class ObjectHandler {
public:
    using number_integer_t = nlohmann::json::number_integer_t;
    using number_unsigned_t = nlohmann::json::number_unsigned_t;
    using number_float_t = nlohmann::json::number_float_t;
    using string_t = nlohmann::json::string_t;
    using binary_t = nlohmann::json::binary_t;

    // With `names` all keys are collected.
    ObjectHandler(std::vector<std::string> const& keys, std::vector<std::string>& values,
                  std::vector<std::string>* names = nullptr)
        : keys_(keys), values_(values), names_(names) {
        for (auto& value : values_) value.clear();
    }

    bool null() { return true; }
    bool boolean(bool value) { return take(value ? "true" : "false"); }
    bool number_integer(number_integer_t value) { return take(std::to_string(value)); }
    bool number_unsigned(number_unsigned_t value) { return take(std::to_string(value)); }
    bool number_float(number_float_t, string_t const& text) { return take(text); }
    bool string(string_t& text) { return take(text); }
    bool binary(binary_t&) { return true; }
    bool start_object(std::size_t) {
        is_object_ = is_object_ || depth_ == 0;
        ++depth_;
        ++objects_;
        return true;
    }
    bool end_object() {
        --depth_;
        --objects_;
        return true;
    }
    bool start_array(std::size_t) {
        ++depth_;
        return true;
    }
    bool end_array() {
        --depth_;
        return true;
    }
    bool key(string_t& name) {
        if (depth_ != 1) return true;
        if (names_ != nullptr) names_->push_back(name);
        slot_ =
            static_cast<std::size_t>(std::find(keys_.begin(), keys_.end(), name) - keys_.begin());
        return true;
    }
    bool parse_error(std::size_t, std::string const&, nlohmann::detail::exception const& error) {
        problem_ = error.what();
        return false;
    }

    bool is_object() const { return is_object_; }
    std::string const& problem() const { return problem_; }

private:
    bool take(std::string_view text) {
        if (objects_ != 1 || slot_ >= values_.size()) return true;
        auto& value = values_[slot_];
        if (!value.empty()) value += ' ';
        value += text;
        return true;
    }

    std::vector<std::string> const& keys_;
    std::vector<std::string>& values_;
    std::vector<std::string>* names_;
    std::size_t slot_ = static_cast<std::size_t>(-1);
    int depth_ = 0, objects_ = 0;
    bool is_object_ = false;
    std::string problem_;
};

std::string listed_columns(TableFormat const& format) {
    std::string text;
    constexpr std::size_t limit = 20;
    for (std::size_t k = 0; k < std::min(format.header.size(), limit); ++k)
        text += (k == 0 ? "" : ", ") + format.header[k];
    if (format.header.size() > limit)
        text += " and " + std::to_string(format.header.size() - limit) + " more";
    return text;
}

// Days from 1970-01-01 to a date of the Gregorian calendar.
std::int64_t days_since_1970(int year, int month, int day) {
    std::int64_t const y = month <= 2 ? year - 1 : year;  // years begin in March
    std::int64_t const era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    std::int64_t const of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146'097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719'468;
}

// Takes `n` digits from the text, or none.
std::optional<int> take_digits(std::string_view& text, std::size_t n) {
    if (text.size() < n) return std::nullopt;
    int value = 0;
    for (char const c : text.substr(0, n)) {
        if (c < '0' || c > '9') return std::nullopt;
        value = 10 * value + (c - '0');
    }
    text.remove_prefix(n);
    return value;
}

bool take_char(std::string_view& text, char wanted) {
    if (!text.starts_with(wanted)) return false;
    text.remove_prefix(1);
    return true;
}

}  // namespace

std::string shown_text(std::string_view text) {
    std::string result = "'";
    for (char const c : text.substr(0, 40))
        result += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    return result + (text.size() > 40 ? "...'" : "'");
}

bool is_utf8(std::string_view text) {
    for (std::size_t k = 0; k < text.size();) {
        auto const byte = static_cast<unsigned char>(text[k++]);
        if (byte < 0x80) continue;
        int const n = byte >= 0xC2 && byte <= 0xDF   ? 1
                      : byte >= 0xE0 && byte <= 0xEF ? 2
                      : byte >= 0xF0 && byte <= 0xF4 ? 3
                                                     : 0;
        if (n == 0) return false;
        std::uint32_t point = byte & (0x3FU >> n);
        for (int i = 0; i < n; ++i) {
            if (k >= text.size()) return false;
            auto const next = static_cast<unsigned char>(text[k++]);
            if ((next & 0xC0) != 0x80) return false;
            point = point << 6 | (next & 0x3FU);
        }
        if ((n == 2 && (point < 0x800 || (point >= 0xD800 && point <= 0xDFFF))) ||
            (n == 3 && (point < 0x10000 || point > 0x10FFFF)))
            return false;
    }
    return true;
}

std::optional<double> parse_number(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    if (text.empty()) return std::nullopt;
    // Few digits: a whole number over a power of ten, both exact, and so is their rounded quotient.
    constexpr double powers[] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    if (text.size() <= 15) {
        std::int64_t digits = 0;
        std::size_t n_digits = 0, n_after = 0;
        bool is_after = false, is_plain = true;
        std::string_view rest = text;
        bool const is_negative = rest.front() == '-';
        if (is_negative) rest.remove_prefix(1);
        for (char const c : rest) {
            if (c >= '0' && c <= '9') {
                digits = 10 * digits + (c - '0');
                ++n_digits;
                if (is_after) ++n_after;
            } else if (c == '.' && !is_after) {
                is_after = true;
            } else {
                is_plain = false;
                break;
            }
        }
        if (is_plain && n_digits > 0) {
            double const value = static_cast<double>(digits) / powers[n_after];
            return is_negative ? -value : value;
        }
    }
    std::string const copy(text);
    if (copy.find_first_not_of("+-.0123456789eE") != std::string::npos) return std::nullopt;
    char* end = nullptr;
    double const value = std::strtod(copy.c_str(), &end);
    if (end != copy.c_str() + copy.size() || !std::isfinite(value)) return std::nullopt;
    return value;
}

std::optional<double> parse_date(std::string_view text) {
    auto const year = take_digits(text, 4);
    if (!year || !take_char(text, '-')) return std::nullopt;
    auto const month = take_digits(text, 2);
    if (!month || *month < 1 || *month > 12 || !take_char(text, '-')) return std::nullopt;
    auto const day = take_digits(text, 2);
    if (!day || *day < 1 || *day > 31) return std::nullopt;
    double seconds = 86'400.0 * static_cast<double>(days_since_1970(*year, *month, *day));
    if (text.empty()) return seconds;
    if (!take_char(text, ' ') && !take_char(text, 'T')) return std::nullopt;
    auto const hour = take_digits(text, 2);
    if (!hour || *hour > 23 || !take_char(text, ':')) return std::nullopt;
    auto const minute = take_digits(text, 2);
    if (!minute || *minute > 59) return std::nullopt;
    seconds += 3600.0 * *hour + 60.0 * *minute;
    if (take_char(text, ':')) {
        auto const end = std::min(text.find_first_not_of("0123456789."), text.size());
        auto const second = parse_number(text.substr(0, end));
        if (!second || *second >= 61) return std::nullopt;
        seconds += *second;
        text.remove_prefix(end);
    }
    take_char(text, 'Z');
    if (!text.empty() && text != " UTC" && text != "+00:00") return std::nullopt;
    return seconds;
}

TableFormat recognise_format(std::string_view text, std::string const& file,
                             std::optional<std::string> const& separator,
                             std::optional<bool> has_header, bool (*is_name)(std::string const&)) {
    auto const begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) throw std::runtime_error(file + ": the file is empty");
    TableFormat format;
    if (text[begin] == '{' && !separator) {
        format.is_json = true;
        auto const line = text.substr(begin, text.find('\n', begin) - begin);
        std::vector<std::string> const no_keys;
        std::vector<std::string> no_values;
        ObjectHandler handler(no_keys, no_values, &format.header);
        nlohmann::json::sax_parse(line.begin(), line.end(), &handler);
        if (!handler.problem().empty())
            throw std::runtime_error(file +
                                     ":1: is no JSON object on one line: " + handler.problem());
        format.n_fields = format.header.size();
        return format;
    }
    if (text[begin] == '[' && !separator)
        throw std::runtime_error(file + ": begins as a JSON array, expected an object on each line "
                                        "(jq -c '.[]')");
    text.remove_prefix(std::min(text.find_first_not_of("\r\n"), text.size()));
    auto const line = detail::first_line(text);
    format.separator = separator.value_or(guess_separator(line));
    if (format.separator.empty())
        throw std::invalid_argument("--separator: is empty, expected one or two characters");
    format.has_header = false;
    // The first line, read as any other, however many fields it has.
    format.n_fields = 0;
    {
        TableFormat any = format;
        std::vector<std::string_view> fields;
        for (std::size_t n = detail::plain_fields(line, format.separator).size(); n > 0; --n) {
            any.n_fields = n;
            std::vector<std::size_t> all(n);
            for (std::size_t k = 0; k < n; ++k) all[k] = k;
            try {
                TableReader reader(text, file, any, all);
                if (!reader.next(fields)) continue;
                // Fields with quotes lie in the reader.
                for (auto const field : fields) format.header.emplace_back(field);
            } catch (std::runtime_error const&) {
                continue;
            }
            format.n_fields = n;
            break;
        }
    }
    if (format.n_fields == 0)
        throw std::runtime_error(file + ":1: the line cannot be taken apart at " +
                                 shown_separator(format.separator));
    format.has_header =
        has_header.value_or(std::any_of(format.header.begin(), format.header.end(), is_name));
    if (!format.has_header) format.header.clear();
    return format;
}

std::size_t column_of(TableFormat const& format, std::string const& file, std::string const& option,
                      std::string const& column) {
    for (std::size_t k = 0; k < format.header.size(); ++k)
        if (format.header[k] == column) return k;
    for (std::size_t k = 0; k < format.header.size(); ++k)
        if (format.header[k].substr(0, format.header[k].find(':')) == column) return k;
    std::size_t number = 0;
    auto const end = column.data() + column.size();
    auto const result = std::from_chars(column.data(), end, number);
    if (!format.is_json && result.ec == std::errc{} && result.ptr == end && number >= 1 &&
        number <= format.n_fields)
        return number - 1;
    throw std::runtime_error(file + ": " + option + " " + column + ": there is no such column; " +
                             (format.header.empty()
                                  ? "the file has no header, expected a number from 1 to " +
                                        std::to_string(format.n_fields)
                                  : "known: " + listed_columns(format)));
}

TableReader::TableReader(std::string_view text, std::string file, TableFormat format,
                         std::vector<std::size_t> wanted)
    : text_(text), file_(std::move(file)), format_(std::move(format)), n_wanted_(wanted.size()),
      buffers_(wanted.size()), quotes_count_(format_.separator == "," || format_.separator == ";"),
      are_blanks_(format_.separator == " ") {
    slot_of_column_.assign(format_.n_fields, n_wanted_);
    for (std::size_t slot = 0; slot < wanted.size(); ++slot) {
        slot_of_column_.at(wanted[slot]) = slot;
        if (format_.is_json) keys_.push_back(format_.header.at(wanted[slot]));
    }
    if (format_.has_header && !format_.is_json) {
        std::vector<std::string_view> header;
        next(header);
    }
}

void TableReader::fail(std::string const& what) const {
    throw std::runtime_error(file_ + ":" + std::to_string(line_) + ": " + what);
}

bool TableReader::next(std::vector<std::string_view>& fields) {
    while (position_ < text_.size() && (text_[position_] == '\n' || text_[position_] == '\r')) {
        next_line_ += text_[position_] == '\n' ? 1 : 0;
        ++position_;
    }
    if (position_ >= text_.size()) return false;
    line_ = next_line_;
    fields.resize(n_wanted_);
    return format_.is_json ? next_json(fields) : next_delimited(fields);
}

bool TableReader::next_json(std::vector<std::string_view>& fields) {
    auto const end = std::min(text_.find('\n', position_), text_.size());
    auto const line = text_.substr(position_, end - position_);
    position_ = end;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return next(fields);
    ObjectHandler handler(keys_, buffers_);
    nlohmann::json::sax_parse(line.begin(), line.end(), &handler);
    if (!handler.problem().empty() || !handler.is_object())
        fail("is no JSON object: " +
             (handler.problem().empty() ? shown_text(line) : handler.problem()));
    std::copy(buffers_.begin(), buffers_.end(), fields.begin());
    return true;
}

bool TableReader::at_separator() const {
    return text_.substr(position_, format_.separator.size()) == format_.separator;
}

bool TableReader::next_delimited(std::vector<std::string_view>& fields) {
    std::size_t column = 0;
    for (;;) {
        auto const slot = column < slot_of_column_.size() ? slot_of_column_[column] : n_wanted_;
        bool const is_quoted = position_ < text_.size() && text_[position_] == '"';
        auto const value = is_quoted ? quoted_field(slot) : field(slot);
        if (slot < n_wanted_) fields[slot] = value;
        ++column;
        if (position_ >= text_.size() || text_[position_] == '\n') break;
        position_ += format_.separator.size();
        while (are_blanks_ && position_ < text_.size() && text_[position_] == ' ') ++position_;
    }
    if (column != format_.n_fields)
        fail(std::to_string(column) + " fields, expected " + std::to_string(format_.n_fields) +
             " as in the first line");
    return true;
}

// Up to the next separator or the end of the line, which is not taken.
std::string_view TableReader::field(std::size_t) {
    auto const begin = position_;
    auto const size = text_.size();
    char const* const data = text_.data();
    char const first = format_.separator.front();
    bool const is_one = format_.separator.size() == 1;
    auto at = position_;
    while (at < size && data[at] != '\n' &&
           (data[at] != first || !(is_one || (position_ = at, at_separator()))))
        ++at;
    position_ = at;
    auto value = text_.substr(begin, at - begin);
    if ((at >= size || data[at] == '\n') && value.ends_with('\r')) value.remove_suffix(1);
    return value;
}

std::string_view TableReader::quoted_field(std::size_t slot) {
    auto const begin = position_;
    auto const line_before = next_line_;
    std::string scratch;
    auto& buffer = slot < n_wanted_ ? buffers_[slot] : scratch;
    buffer.clear();
    auto at = begin + 1;
    bool has_end = false;
    auto const last =
        quotes_count_ ? text_.size() : std::min(text_.find('\n', begin), text_.size());
    for (auto part = at;; part = at) {
        at = std::min(text_.substr(0, last).find('"', at), last);
        if (slot < n_wanted_) buffer.append(text_.substr(part, at - part));
        auto const taken = text_.substr(part, at - part);
        next_line_ += static_cast<std::size_t>(std::count(taken.begin(), taken.end(), '\n'));
        if (at >= last) break;
        ++at;
        if (at < last && text_[at] == '"') {
            if (slot < n_wanted_) buffer += '"';
            ++at;  // a quote that is written twice
            continue;
        }
        has_end = true;
        break;
    }
    position_ = at;
    if (has_end && at < text_.size() && text_[at] == '\r') ++position_;
    bool const is_whole = has_end && (position_ >= text_.size() || text_[position_] == '\n' ||
                                      (position_ == at && at_separator()));
    if (is_whole && (quotes_count_ || next_line_ == line_before)) return buffer;
    if (quotes_count_) {
        if (!has_end) fail("a quote has no end");
        fail("text follows the closing quote of a field: " +
             shown_text(text_.substr(at, text_.find('\n', at) - at)));
    }
    next_line_ = line_before;
    position_ = begin;
    return field(slot);
}

}  // namespace polder::recsys
