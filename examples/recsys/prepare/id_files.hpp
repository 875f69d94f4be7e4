/// The ids of prepared data: users.tsv and items.tsv beside the `.inter` file.
///
///     number  id      title
///     0       B00A1   A kettle
///
/// Tab-separated, numbers ascending from 0; "title" only where there are titles. Tabs, line feeds, carriage returns and
/// backslashes in ids and titles are \t, \n, \r and \\.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/prepare/ids.hpp"

namespace polder::recsys {

/// Ids by number, and their titles where there are some.
struct IdTable {
    Ids ids;
    std::vector<std::string> titles{};  ///< as many as ids, or none

    std::string title(std::size_t number) const {
        return number < titles.size() ? titles[number] : std::string();
    }
};

/// The file's text.
std::string text_of_ids(IdTable const& table);

/// Reads such a file. Throws std::runtime_error "file:line: ...".
IdTable read_id_table(std::filesystem::path const& file);

/// Names of users or of items, as a data set has them: ids where it has a table of them, else their numbers.
class Names {
public:
    Names() = default;

    /// Reads `folder`/`file` where it is there, which must have at least `n` ids. `what`: "user" or "item", for messages.
    /// Throws std::runtime_error.
    Names(std::filesystem::path const& folder, std::string const& file, std::string what,
          std::int32_t n);

    /// The id of a number, or the number as text.
    std::string operator()(std::int32_t number) const;

    /// The title, or nothing.
    std::string title(std::int32_t number) const;

    /// The number of an id. Throws std::invalid_argument, which says what is known, for one that the data does not have.
    std::int32_t number(std::string_view id) const;

    /// The same, or none.
    std::optional<std::int32_t> find(std::string_view id) const;

    bool are_ids() const { return table_.has_value(); }
    bool have_titles() const { return table_ && !table_->titles.empty(); }
    /// "users.tsv", where it is there.
    std::string const& file() const { return file_; }
    std::int32_t size() const { return n_; }

private:
    std::optional<IdTable> table_;
    std::string file_, what_;
    std::int32_t n_ = 0;
};

}  // namespace polder::recsys
