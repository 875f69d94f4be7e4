/// Files of named arrays in the safetensors format, which Python's `safetensors` reads and writes:
///
///     8 bytes    n, the length of the header, little-endian
///     n bytes    JSON: {"name": {"dtype": "F32", "shape": [r, c], "data_offsets": [begin, end]}, ...,
///                       "__metadata__": {"key": "text", ...}}
///     the rest   the arrays one after the other, row-major, little-endian; offsets count from here
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "recsys/output_file.hpp"

namespace polder::recsys {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

/// Collects views of arrays and writes them as one file.
class SafetensorsWriter {
public:
    /// Adds an array; `values` must live until `write`, and its size be the product of `shape`.
    void add(std::string const& name, std::vector<std::size_t> const& shape,
             std::span<float const> values) {
        arrays_.push_back(values);
        header_[name] = {{"dtype", "F32"},
                         {"shape", shape},
                         {"data_offsets", {n_bytes_, n_bytes_ + values.size_bytes()}}};
        n_bytes_ += values.size_bytes();
    }

    /// Adds text to the header.
    void add_metadata(std::string const& key, std::string const& text) {
        header_["__metadata__"][key] = text;
    }

    /// Writes the file, complete or not at all. Throws std::runtime_error.
    void write(std::filesystem::path const& file) const {
        auto header = header_.dump();
        header.append((8 - header.size() % 8) % 8, ' ');  // arrays start at multiples of 8 bytes
        auto const length = static_cast<std::uint64_t>(header.size());
        write_file(file, [&](std::ostream& stream) {
            stream.write(reinterpret_cast<char const*>(&length), sizeof length);
            stream.write(header.data(), static_cast<std::streamsize>(header.size()));
            for (auto const& values : arrays_)
                stream.write(reinterpret_cast<char const*>(values.data()),
                             static_cast<std::streamsize>(values.size_bytes()));
        });
    }

private:
    nlohmann::json header_ = nlohmann::json::object();
    std::vector<std::span<float const>> arrays_;
    std::size_t n_bytes_ = 0;
};

/// A safetensors file opened for reading. The header is checked as a whole at once: every array lies
/// inside the file, has the length of its shape, and none overlaps another. Arrays of any type may be
/// there; only F32 can be read.
class SafetensorsFile {
public:
    /// What the header says of one array.
    struct Array {
        std::string dtype;
        std::vector<std::size_t> shape;
        std::size_t begin = 0, end = 0;  ///< bytes from the start of the data
    };

    /// Throws std::runtime_error "file: what is wrong".
    explicit SafetensorsFile(std::filesystem::path file)
        : file_(std::move(file)), stream_(file_, std::ios::binary) {
        std::error_code error;
        if (!std::filesystem::exists(file_, error)) fail("no such file");
        auto const size = std::filesystem::file_size(file_, error);
        if (!stream_ || error) fail("cannot be read");
        std::uint64_t length = 0;
        if (size < sizeof length)
            fail("has " + std::to_string(size) +
                 " bytes, too few for a safetensors file: it is truncated or of another kind");
        stream_.read(reinterpret_cast<char*>(&length), sizeof length);
        if (length > max_header || length > size - sizeof length)
            fail("promises a header of " + std::to_string(length) + " bytes, but has " +
                 std::to_string(size) + " in all: it is truncated or not a safetensors file");
        std::string text(static_cast<std::size_t>(length), '\0');
        stream_.read(text.data(), static_cast<std::streamsize>(length));
        data_begin_ = sizeof length + static_cast<std::size_t>(length);
        read_header(text, static_cast<std::size_t>(size) - data_begin_);
    }

    std::filesystem::path const& path() const { return file_; }
    std::map<std::string, Array> const& arrays() const { return arrays_; }

    /// The text of a key. Throws std::runtime_error if there is none.
    std::string const& metadata(std::string const& key) const {
        auto const found = metadata_.find(key);
        if (found == metadata_.end()) fail("the metadata has no '" + key + "'");
        return found->second;
    }

    /// Reads an F32 array of that shape into `values`. Throws std::runtime_error.
    void read(std::string const& name, std::vector<std::size_t> const& shape,
              std::span<float> values) {
        auto const found = arrays_.find(name);
        if (found == arrays_.end()) fail("there is no array '" + name + "'");
        auto const& array = found->second;
        if (array.dtype != "F32" || array.shape != shape ||
            array.end - array.begin != values.size_bytes())
            fail("array '" + name + "' is " + array.dtype + " " + text(array.shape) +
                 ", expected F32 " + text(shape));
        stream_.seekg(static_cast<std::streamoff>(data_begin_ + array.begin));
        stream_.read(reinterpret_cast<char*>(values.data()),
                     static_cast<std::streamsize>(values.size_bytes()));
        if (!stream_) fail("array '" + name + "' cannot be read");
    }

private:
    static constexpr std::uint64_t max_header = 100'000'000;  // as the reference implementation

    [[noreturn]] void fail(std::string const& message) const {
        throw std::runtime_error(file_.string() + ": " + message);
    }

    static std::string text(std::vector<std::size_t> const& shape) {
        std::string result = "(";
        for (auto const n : shape) {
            if (result.size() > 1) result += ", ";
            result += std::to_string(n);
        }
        return result + ")";
    }

    void read_header(std::string const& text, std::size_t data_size) {
        auto const header = nlohmann::json::parse(text, nullptr, false);
        if (!header.is_object()) fail("the header is not a JSON object: not a safetensors file");
        std::vector<std::pair<std::size_t, std::size_t>> ranges;
        for (auto const& [name, entry] : header.items()) {
            if (name == "__metadata__") {
                read_metadata(entry);
                continue;
            }
            auto const array = read_array(name, entry);
            ranges.emplace_back(array.begin, array.end);
            arrays_.emplace(name, array);
        }
        std::sort(ranges.begin(), ranges.end());
        std::size_t at = 0;
        for (auto const& [begin, end] : ranges) {
            if (begin != at)
                fail("the arrays overlap or leave a gap at byte " + std::to_string(at));
            at = end;
        }
        if (at != data_size)
            fail("the arrays take " + std::to_string(at) + " bytes, but the file has " +
                 std::to_string(data_size) + ": it is truncated or damaged");
    }

    void read_metadata(nlohmann::json const& entry) {
        if (!entry.is_object()) fail("__metadata__ is not an object");
        for (auto const& [key, value] : entry.items()) {
            if (!value.is_string()) fail("__metadata__ '" + key + "' is not text");
            metadata_.emplace(key, value.get<std::string>());
        }
    }

    Array read_array(std::string const& name, nlohmann::json const& entry) const {
        static std::map<std::string, std::size_t> const sizes{
            {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1},
            {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
            {"U32", 4},  {"F32", 4}, {"F64", 8}, {"I64", 8},     {"U64", 8}};
        auto const is_count = [](nlohmann::json const& n) { return n.is_number_unsigned(); };
        auto const are_counts = [&](nlohmann::json const& list) {
            return list.is_array() && std::all_of(list.begin(), list.end(), is_count);
        };
        if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() ||
            !entry.contains("shape") || !are_counts(entry["shape"]) ||
            !entry.contains("data_offsets") || !are_counts(entry["data_offsets"]) ||
            entry["data_offsets"].size() != 2)
            fail("the header's entry '" + name +
                 "' needs dtype, shape and data_offsets [begin, end]");
        Array array{entry["dtype"].get<std::string>(),
                    entry["shape"].get<std::vector<std::size_t>>(),
                    entry["data_offsets"][0].get<std::size_t>(),
                    entry["data_offsets"][1].get<std::size_t>()};
        auto const size = sizes.find(array.dtype);
        if (size == sizes.end()) fail("array '" + name + "' has the unknown type " + array.dtype);
        std::size_t bytes = size->second;
        bool fits = true;
        for (auto const n : array.shape) fits = !__builtin_mul_overflow(bytes, n, &bytes) && fits;
        if (!fits || array.end < array.begin || array.end - array.begin != bytes)
            fail("array '" + name + "' of shape " + text(array.shape) +
                 " does not fit its offsets " + std::to_string(array.begin) + " to " +
                 std::to_string(array.end));
        return array;
    }

    std::filesystem::path file_;
    std::ifstream stream_;
    std::size_t data_begin_ = 0;
    std::map<std::string, Array> arrays_;
    std::map<std::string, std::string> metadata_;
};

}  // namespace polder::recsys
