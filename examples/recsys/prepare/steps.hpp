/// What is done to interactions before they are data: filters, duplicates, k-core, splits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/prepare/interactions.hpp"

namespace polder::recsys {

/// Which of several rows with the same user and item stay.
enum class Duplicates {
    first,  ///< the earliest
    last,   ///< the latest
    once,   ///< one row, with the earliest time and the highest rating
    all     ///< each of them
};

/// Rows per user and per item that are needed; 0 asks for nothing.
struct KCore {
    std::size_t users = 0, items = 0;
};

/// How rows are split into train, valid and test.
struct Split {
    enum class Kind {
        given,          ///< by the column x_label
        random,         ///< of each user's rows these shares, drawn
        time,           ///< of each user's rows these shares, the latest are test
        leave_one_out,  ///< of each user the latest row is test, the second latest valid
        global_time     ///< rows before the first date are train, those from the second on test
    };
    Kind kind = Kind::random;
    double valid = 0.1, test = 0.1;        ///< shares
    double valid_from = 0, test_from = 0;  ///< seconds since 1970, or numbers as the file has them
    bool are_dates = false;
};

/// "first", "last", "once" or "all". Throws std::invalid_argument.
Duplicates parse_duplicates(std::string const& text);

/// "5" (users and items), "users:5", "items:5", or both with a comma. Throws std::invalid_argument.
KCore parse_k_core(std::string const& text);

/// "given", "random:0.8,0.1,0.1", "time:0.8,0.1,0.1", "leave-one-out", "global-time:2022-01-01,2022-07-01". Throws
/// std::invalid_argument.
Split parse_split(std::string const& text);

/// What was left after a step.
struct StepCount {
    std::string step;
    std::size_t rows = 0, users = 0, items = 0;
};

/// Counts rows, and the users and items that they have.
StepCount count_step(std::string step, RawInteractions const& data);

/// Takes rows out whose rating is below `least`, or that have none.
void filter_ratings(RawInteractions& data, double least);

/// Takes duplicates out. The rows must be sorted; of equal times the lower rating counts as earlier.
void drop_duplicates(RawInteractions& data, Duplicates which);

/// Takes users and items out that have fewer rows than that, again until all have as many.
void take_k_core(RawInteractions& data, KCore const& core);

/// Sets the labels. Random draws are by hash of the seed, the user's id and the item's id; so is the order of rows at the
/// same time, and of rows without a time in leave-one-out. Of a user's n rows a split by shares gives valid and test their
/// share of n, rounded down, but at least one row where n > 1 (test) and n > 2 (valid). The rows must be sorted.
/// Throws std::runtime_error where a split by time meets rows without one, or there is no column x_label for `given`.
void split_rows(RawInteractions& data, Split const& split, std::uint64_t seed);

/// Takes rows of valid and test out whose user and item are together in train, too.
void drop_known_rows(RawInteractions& data);

/// Users and items that have rows, but none in train.
struct Untrained {
    std::size_t users = 0, items = 0;
};
Untrained count_untrained(RawInteractions const& data);

}  // namespace polder::recsys
