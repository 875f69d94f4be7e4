/// Interactions as they come in files: ids that are text, ratings, times.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "recsys/prepare/ids.hpp"

namespace polder::recsys {

/// One interaction. What a table does not have is not-a-number, or `no_label`.
struct RawRow {
    std::uint32_t user = 0, item = 0;
    float rating = 0;
    std::uint8_t label = 0;  ///< 0 train, 1 valid, 2 test
    double time = 0;         ///< in the unit of the file; dates in seconds since 1970
};
inline constexpr std::uint8_t no_label = 255;

/// The columns of a table, where they are not recognised: names, or numbers from 1.
struct TableChoice {
    std::optional<std::string> user{}, item{}, rating{}, timestamp{};
    std::optional<std::string> separator{};
    bool has_no_header = false;
    bool has_options = true;  ///< the command has options for all these, which messages may name
};

/// Rows of all files, with ids numbered in the order in which they came.
struct RawInteractions {
    Ids users, items;
    std::vector<RawRow> rows;
    std::size_t n_read = 0;  ///< rows in the files
    std::size_t n_without =
        0;  ///< of these, rows without a user or without an item, which are left out
    bool has_rating = true, has_time = true, has_label = true;  ///< in all files
    std::vector<std::uint32_t> lines;  ///< of the rows, as they were read, of files with labels
};

/// Appends the rows of a file. The columns are recognised (columns.hpp) unless they are given. Returns a sentence that says
/// the layout and the columns. Throws std::runtime_error that names file and line: for columns that are not there, for
/// ratings and times that are not numbers (times may be dates), for labels other than 0, 1 and 2, for ids that are not
/// UTF-8.
std::string read_interactions(std::string const& file, TableChoice const& choice,
                              RawInteractions& into);

/// Users and items, of `rows` alone, numbered in the order of their ids (Ids::sorted); the rows in the order of users, of
/// one user by time, then by item. So the order of rows in files does not show.
void sort_interactions(RawInteractions& data);

/// Takes ids without rows out; the others keep their order.
void drop_unused_ids(RawInteractions& data);

}  // namespace polder::recsys
