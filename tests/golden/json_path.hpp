/// Reading a JSON document whose errors say where in the document something is wrong.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace golden {

/// A value of a JSON document and the keys that lead to it. All members throw std::runtime_error
/// that names these keys and what was expected there.
class JsonPath {
public:
    JsonPath(nlohmann::json const& value, std::string path = "")
        : value_(&value), path_(std::move(path)) {}

    nlohmann::json const& value() const { return *value_; }

    [[noreturn]] void fail(std::string const& expected) const {
        const std::string where = path_.empty() ? "document" : "'" + path_ + "'";
        std::string found = value_->dump();
        if (found.size() > 60) found = found.substr(0, 57) + "...";
        throw std::runtime_error(where + " is " + found + ", expected " + expected);
    }

    bool has(std::string const& key) const { return value_->is_object() && value_->contains(key); }

    JsonPath operator[](std::string const& key) const {
        const std::string inner = path_.empty() ? key : path_ + "." + key;
        if (!value_->is_object()) fail("an object with the key '" + key + "'");
        if (!value_->contains(key)) throw std::runtime_error("missing key '" + inner + "'");
        return {value_->at(key), inner};
    }

    /// The elements of a list.
    std::vector<JsonPath> list() const {
        if (!value_->is_array()) fail("a list");
        std::vector<JsonPath> result;
        for (auto const& element : *value_)
            result.emplace_back(element, path_ + "[" + std::to_string(result.size()) + "]");
        return result;
    }

    /// The members of an object.
    std::vector<std::pair<std::string, JsonPath>> members() const {
        if (!value_->is_object()) fail("an object");
        std::vector<std::pair<std::string, JsonPath>> result;
        for (auto const& [key, element] : value_->items())
            result.emplace_back(key, JsonPath(element, path_.empty() ? key : path_ + "." + key));
        return result;
    }

    std::string text() const {
        if (!value_->is_string()) fail("a text");
        return value_->get<std::string>();
    }

    double number() const {
        if (!value_->is_number()) fail("a number");
        return value_->get<double>();
    }

    /// An integer in [low, high].
    std::int64_t integer(std::int64_t low, std::int64_t high) const {
        const std::string range =
            "an integer in [" + std::to_string(low) + ", " + std::to_string(high) + "]";
        if (!value_->is_number_integer()) fail(range);
        // An unsigned value above the signed range would turn negative.
        if (value_->is_number_unsigned() &&
            value_->get<std::uint64_t>() > static_cast<std::uint64_t>(high))
            fail(range);
        auto const result = value_->get<std::int64_t>();
        if (result < low || result > high) fail(range);
        return result;
    }

    /// A list of `size` numbers.
    std::vector<double> numbers(std::size_t size) const {
        std::vector<double> result;
        for (auto const& element : sized_list(size)) result.push_back(element.number());
        return result;
    }

    /// A list of any length of integers in [0, end).
    std::vector<std::int32_t> ids(std::int64_t end) const {
        std::vector<std::int32_t> result;
        for (auto const& element : list())
            result.push_back(static_cast<std::int32_t>(element.integer(0, end - 1)));
        return result;
    }

    /// A list of `size` integers in [0, end).
    std::vector<std::int32_t> ids(std::int64_t end, std::size_t size) const {
        sized_list(size);
        return ids(end);
    }

private:
    std::vector<JsonPath> sized_list(std::size_t size) const {
        auto result = list();
        if (result.size() != size)
            throw std::runtime_error("'" + path_ + "' has " + std::to_string(result.size()) +
                                     " values, expected " + std::to_string(size));
        return result;
    }

    nlohmann::json const* value_;
    std::string path_;
};

}  // namespace golden
