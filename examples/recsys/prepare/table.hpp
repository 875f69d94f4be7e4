/// Tables of text: CSV and its relatives, and JSON lines.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace polder::recsys {

/// How the rows of a table are written.
struct TableFormat {
    bool is_json = false;         ///< an object on each line
    std::string separator = ",";  ///< of fields; a run of blanks counts as one
    bool has_header = true;
    std::vector<std::string>
        header{};              ///< names of the columns, the keys of the first object, or none
    std::size_t n_fields = 0;  ///< of the first line
};

/// The format of a text, by its first line. `separator` and `has_header` where they are known; without, a first line is a
/// header where it has a field that `is_name` knows. Throws std::runtime_error where the text is empty.
TableFormat recognise_format(std::string_view text, std::string const& file,
                             std::optional<std::string> const& separator,
                             std::optional<bool> has_header, bool (*is_name)(std::string const&));

/// The column that `column` names: by its name, by its name without RecBole's type, or by its number from 1. Throws
/// std::runtime_error that lists the columns.
std::size_t column_of(TableFormat const& format, std::string const& file, std::string const& option,
                      std::string const& column);

/// Reads the wanted columns of a table, row by row.
///
/// Fields may be quoted as in RFC 4180: a quote in quotes is written twice, and separators and line ends in quotes belong to
/// the field. Where the separator is neither a comma nor a semicolon, quotes that do not enclose a whole field are themselves.
/// Lines end in LF or CRLF; blank ones are passed over. Of JSON lines a list of texts is its texts with blanks between,
/// and what is in another object is not looked at.
///
/// (Of the libraries of Debian 12, fast-cpp-csv-parser wants the number of columns when it is compiled, and knows neither
/// line ends in fields nor separators of two characters; libcsv knows no such separators, and copies each character of
/// each field, wanted or not.)
class TableReader {
public:
    /// `text` must live as long as the reader. `wanted`: columns, from 0, each at most once.
    TableReader(std::string_view text, std::string file, TableFormat format,
                std::vector<std::size_t> wanted);

    /// The wanted fields of the next row, in their order; false at the end. The texts are valid until the next call. Throws
    /// std::runtime_error "file:line: ..." for a row with another number of fields, and for quotes without an end.
    bool next(std::vector<std::string_view>& fields);

    /// The line on which the last row began, from 1.
    std::size_t line() const { return line_; }

    /// Throws std::runtime_error "file:line: what".
    [[noreturn]] void fail(std::string const& what) const;

private:
    bool next_delimited(std::vector<std::string_view>& fields);
    bool next_json(std::vector<std::string_view>& fields);
    std::string_view field(std::size_t slot);
    std::string_view quoted_field(std::size_t slot);
    bool at_separator() const;

    std::string_view text_;
    std::string file_;
    TableFormat format_;
    std::vector<std::size_t> slot_of_column_;  // n_wanted where it is not wanted
    std::vector<std::string> keys_;            // of JSON, in the order of `wanted`
    std::size_t n_wanted_;
    std::vector<std::string> buffers_;  // of fields that are not as they stand in the text
    std::size_t position_ = 0, line_ = 0, next_line_ = 1;
    bool quotes_count_, are_blanks_;
};

/// A decimal number, or none where the text is not one, or not finite.
std::optional<double> parse_number(std::string_view text);

/// Seconds since 1970, UTC, of "2023-05-01", "2023-05-01 12:30" and "2023-05-01T12:30:15.5Z", or none.
std::optional<double> parse_date(std::string_view text);

/// Text as it may stand in a message: quoted, short, one line.
std::string shown_text(std::string_view text);

/// Whether the bytes are UTF-8.
bool is_utf8(std::string_view text);

}  // namespace polder::recsys
