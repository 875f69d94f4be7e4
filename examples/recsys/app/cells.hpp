/// How numbers look in what the program prints and writes. What was not measured is not-a-number (metrics of a split
/// without rows, a test of significance with one seed, a rate without time) or null in JSON. It is "-" in a table,
/// nothing in CSV, and null in JSON (`json_number`).
#pragma once

#include <cmath>
#include <limits>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "recsys/training/checkpoint.hpp"

namespace polder::recsys::app {

/// What was not measured.
inline constexpr double unmeasured = std::numeric_limits<double>::quiet_NaN();

/// A number in a table, or "-". `format`: "{:.4f}".
inline std::string table_cell(double value, std::string_view format = "{:.4f}") {
    return std::isfinite(value) ? fmt::format(fmt::runtime(format), value + 0.0) : "-";
}
inline std::string table_cell(Json const& value, std::string_view format = "{:.4f}") {
    return value.is_number_integer() ? value.dump() : table_cell(number_of_json(value), format);
}

/// A number in CSV, by default in full precision, or nothing.
inline std::string csv_cell(double value, std::string_view format = "{}") {
    return std::isfinite(value) ? fmt::format(fmt::runtime(format), value) : std::string();
}
inline std::string csv_cell(Json const& value, std::string_view format = "{}") {
    if (value.is_number_integer()) return value.dump();
    return csv_cell(number_of_json(value), format);
}

/// A string as it is, all else as JSON.
inline std::string text_of(Json const& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
}

/// The number of an epoch; none is -1.
inline Json json_of_epoch(int epoch) { return epoch < 0 ? Json(nullptr) : Json(epoch); }

}  // namespace polder::recsys::app
