/// Files of named arrays in the safetensors format, which Python's `safetensors` reads and writes:
///
///     8 bytes    n, the length of the header, little-endian
///     n bytes    JSON: {"name": {"dtype": "F32", "shape": [r, c], "data_offsets": [begin, end]}, ...,
///                       "__metadata__": {"key": "text", ...}}
///     the rest   the arrays one after the other, row-major, little-endian; offsets count from here
///
/// Opt-in: not in polder.hpp, since it needs nlohmann-json 3.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <ostream>
#include <ranges>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#if !__has_include(<nlohmann/json.hpp>)
#error                                                                                             \
    "polder: polder/state needs nlohmann-json 3 (Debian: nlohmann-json3-dev; CMake: link polder::state)"
#endif
#include <nlohmann/json.hpp>

#include <polder/state/file.hpp>

namespace polder {

static_assert(std::endian::native == std::endian::little,
              "polder: safetensors files are little-endian, and so must the processor be");

/// Text that a file carries beside its arrays, by key.
using Metadata = std::map<std::string, std::string>;

/// The sizes of an array; a single number has none.
using ArrayShape = std::vector<std::size_t>;

namespace detail {

// "F32" for float, "U8" for std::uint8_t, ...
template <class T>
constexpr std::string_view dtype_of() {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, double> ||
                      (std::is_integral_v<T> && !std::is_same_v<T, bool> && sizeof(T) <= 8),
                  "polder: arrays of files are of float, double or integers");
    if constexpr (std::is_floating_point_v<T>) {
        return sizeof(T) == 4 ? "F32" : "F64";
    } else {
        constexpr std::string_view names[2][4] = {{"U8", "U16", "U32", "U64"},
                                                  {"I8", "I16", "I32", "I64"}};
        return names[std::is_signed_v<T>][std::countr_zero(sizeof(T))];
    }
}

// Bytes of one value, 0 for a dtype that is not known.
inline std::size_t dtype_size(std::string_view dtype) {
    static std::map<std::string_view, std::size_t> const sizes{
        {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1},
        {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
        {"U32", 4},  {"F32", 4}, {"F64", 8}, {"I64", 8},     {"U64", 8}};
    auto const found = sizes.find(dtype);
    return found == sizes.end() ? 0 : found->second;
}

// Whether an array of this type and shape takes so many bytes.
inline bool takes_bytes(std::string_view dtype, ArrayShape const& shape, std::size_t bytes) {
    std::size_t product = dtype_size(dtype);
    bool fits = product != 0;
    for (auto const n : shape) fits = !__builtin_mul_overflow(product, n, &product) && fits;
    return fits && product == bytes;
}

inline std::string to_text(ArrayShape const& shape) {
    std::string text = "(";
    for (auto const n : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(n);
    return text + ")";
}

// Text out of a file, in quotes, so that a message with it stays one line.
inline std::string in_quotes(std::string_view text) {
    constexpr std::size_t longest = 1000;
    std::string result(text.substr(0, longest));
    std::replace_if(
        result.begin(), result.end(), [](unsigned char c) { return c < ' ' || c == 127; }, '?');
    return "'" + result + (text.size() > longest ? "...'" : "'");
}

// A number that depends on every word of what is added (FNV-1a over words of 64 bits).
class Checksum {
public:
    void add(std::span<std::byte const> bytes) {
        for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
            std::uint64_t word = 0;
            std::memcpy(&word, bytes.data() + at, std::min(sizeof word, bytes.size() - at));
            hash_ = (hash_ ^ word) * 0x100000001b3;
        }
    }

    std::string text() const {
        std::string digits;
        for (int shift = 60; shift >= 0; shift -= 4)
            digits += "0123456789abcdef"[hash_ >> shift & 15];
        return digits;
    }

private:
    std::uint64_t hash_ = 0xcbf29ce484222325;
};

inline constexpr std::uint64_t max_header = 100'000'000;  // as the reference implementation
inline constexpr char const* checksum_key = "polder.checksum";

}  // namespace detail

/// Collects views of arrays and writes them as one file.
class SafetensorsWriter {
public:
    /// Adds an array of float, double or integers: any contiguous range, which must live and stay as it is
    /// until `write`. Throws std::invalid_argument for a name that is there, and where `shape` is not that
    /// of so many values.
    template <std::ranges::contiguous_range Values>
    void add(std::string const& name, ArrayShape const& shape, Values const& values) {
        using T = std::ranges::range_value_t<Values>;
        add_bytes(name, detail::dtype_of<T>(), shape,
                  std::as_bytes(std::span(std::ranges::data(values), std::ranges::size(values))));
    }

    /// As above, of bytes whose type is named as the format does: "F32", "F64", "U8", "I64", ...
    void add_bytes(std::string const& name, std::string_view dtype, ArrayShape const& shape,
                   std::span<std::byte const> bytes) {
        if (name == "__metadata__" || names_.count(name) != 0)
            throw std::invalid_argument("polder: array '" + name + "': the name is taken");
        if (!detail::takes_bytes(dtype, shape, bytes.size()))
            throw std::invalid_argument("polder: array '" + name + "' has " +
                                        std::to_string(bytes.size()) + " bytes, expected " +
                                        std::string(dtype) + " " + detail::to_text(shape));
        names_.insert(name);
        arrays_.push_back({name, dtype, shape, bytes});
    }

    /// As above, of bytes that the writer keeps.
    void add_bytes(std::string const& name, std::string_view dtype, ArrayShape const& shape,
                   std::vector<std::byte> bytes) {
        kept_.push_back(std::make_shared<std::vector<std::byte> const>(std::move(bytes)));
        add_bytes(name, dtype, shape, std::span<std::byte const>(*kept_.back()));
    }

    /// Adds text; of two with the same key the last counts.
    void add_metadata(std::string const& key, std::string const& text) { metadata_[key] = text; }

    /// Writes the file, complete or not at all, with a checksum of the arrays in its metadata
    /// ("polder.checksum"). Throws FileError; std::invalid_argument for names and texts that are not
    /// UTF-8 or are more than the format allows (100 MB).
    void write(std::filesystem::path const& file) const {
        write_file(file, [this](std::ostream& stream) { write(stream); });
    }

    /// As above, to a stream, whose state is the caller's to look at.
    void write(std::ostream& stream) const {
        // Wide values first, as the reference implementation: so every array is aligned.
        auto arrays = arrays_;
        std::stable_sort(arrays.begin(), arrays.end(), [](Array const& a, Array const& b) {
            return detail::dtype_size(a.dtype) > detail::dtype_size(b.dtype);
        });
        nlohmann::json header = nlohmann::json::object();
        detail::Checksum checksum;
        std::size_t begin = 0;
        for (auto const& array : arrays) {
            std::size_t const end = begin + array.bytes.size();
            header[array.name] = {
                {"dtype", array.dtype}, {"shape", array.shape}, {"data_offsets", {begin, end}}};
            checksum.add(array.bytes);
            begin = end;
        }
        header["__metadata__"] = metadata_;
        header["__metadata__"][detail::checksum_key] = checksum.text();
        auto const text = to_text(header);
        auto const length = static_cast<std::uint64_t>(text.size());
        auto const put = [&](void const* data, std::size_t size) {
            stream.write(static_cast<char const*>(data), static_cast<std::streamsize>(size));
        };
        put(&length, sizeof length);
        put(text.data(), text.size());
        for (auto const& array : arrays) put(array.bytes.data(), array.bytes.size());
    }

private:
    struct Array {
        std::string name;
        std::string_view dtype;
        ArrayShape shape;
        std::span<std::byte const> bytes;
    };

    std::vector<std::shared_ptr<std::vector<std::byte> const>> kept_;

    static std::string to_text(nlohmann::json const& header) {
        std::string text;
        try {
            text = header.dump();
        } catch (nlohmann::json::exception const&) {
            throw std::invalid_argument(
                "polder: a name or a text for a safetensors file is not UTF-8");
        }
        text.append((8 - text.size() % 8) % 8, ' ');  // arrays begin at multiples of 8 bytes
        if (text.size() > detail::max_header)
            throw std::invalid_argument("polder: the header of a safetensors file would have " +
                                        std::to_string(text.size()) + " bytes, expected at most " +
                                        std::to_string(detail::max_header));
        return text;
    }

    std::vector<Array> arrays_;
    std::set<std::string> names_;
    Metadata metadata_;
};

/// A safetensors file opened for reading. The header is checked as a whole at once: every array lies
/// inside the file, has the length of its shape, and no byte is without an array or has two. Nothing
/// larger than the file itself is allocated before. Every error is a FileError.
class SafetensorsFile {
public:
    /// What the header says of one array.
    struct Array {
        std::string dtype;
        ArrayShape shape;
        std::size_t begin = 0, end = 0;  ///< bytes from the start of the data
    };

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
        read_at(0, std::as_writable_bytes(std::span(&length, 1)));
        if (length > detail::max_header || length > size - sizeof length)
            fail("promises a header of " + std::to_string(length) + " bytes, but has " +
                 std::to_string(size) + " in all: it is truncated or not a safetensors file");
        std::string text(static_cast<std::size_t>(length), '\0');
        read_at(sizeof length, std::as_writable_bytes(std::span(text)));
        data_begin_ = sizeof length + text.size();
        data_size_ = static_cast<std::size_t>(size) - data_begin_;
        read_header(text);
    }

    std::filesystem::path const& path() const noexcept { return file_; }
    std::map<std::string, Array> const& arrays() const noexcept { return arrays_; }
    Metadata const& metadata() const noexcept { return metadata_; }

    /// The text of a key.
    std::string const& metadata(std::string const& key) const {
        auto const found = metadata_.find(key);
        if (found == metadata_.end()) fail("the metadata has no '" + key + "'");
        return found->second;
    }

    /// Reads an array of that type and shape into a contiguous range of as many values.
    template <std::ranges::contiguous_range Values>
    void read(std::string const& name, ArrayShape const& shape, Values&& values) {
        using T = std::ranges::range_value_t<Values>;
        read_bytes(name, detail::dtype_of<T>(), shape,
                   std::as_writable_bytes(
                       std::span(std::ranges::data(values), std::ranges::size(values))));
    }

    /// As above, of a type that is named as the format does.
    void read_bytes(std::string const& name, std::string_view dtype, ArrayShape const& shape,
                    std::span<std::byte> bytes) {
        auto const found = arrays_.find(name);
        if (found == arrays_.end()) fail("there is no array " + detail::in_quotes(name));
        auto const& array = found->second;
        if (array.dtype != dtype || array.shape != shape || array.end - array.begin != bytes.size())
            fail("array " + detail::in_quotes(name) + " is " + array.dtype + " " +
                 detail::to_text(array.shape) + ", expected " + std::string(dtype) + " " +
                 detail::to_text(shape));
        read_at(data_begin_ + array.begin, bytes);
    }

    /// Reads all arrays, the first time, and compares them with the checksum in the metadata, where there is one.
    void verify() {
        if (is_verified_) return;
        auto const expected = metadata_.find(detail::checksum_key);
        if (expected == metadata_.end()) return;
        std::vector<Array const*> in_order;
        for (auto const& [name, array] : arrays_) in_order.push_back(&array);
        std::sort(in_order.begin(), in_order.end(),
                  [](auto const* a, auto const* b) { return a->begin < b->begin; });
        detail::Checksum checksum;
        std::vector<std::byte> buffer(std::size_t{1} << 16);  // whole words
        for (auto const* array : in_order) {
            for (std::size_t at = array->begin; at < array->end; at += buffer.size()) {
                auto const part = std::span(buffer).first(std::min(buffer.size(), array->end - at));
                read_at(data_begin_ + at, part);
                checksum.add(part);
            }
        }
        if (checksum.text() != expected->second)
            fail("is damaged: the checksum of its arrays is " + checksum.text() + ", expected " +
                 detail::in_quotes(expected->second));
        is_verified_ = true;
    }

    /// Throws FileError with this file's name.
    [[noreturn]] void fail(std::string const& what) const { throw FileError(file_, what); }

private:
    void read_at(std::size_t begin, std::span<std::byte> bytes) {
        stream_.seekg(static_cast<std::streamoff>(begin));
        stream_.read(reinterpret_cast<char*>(bytes.data()),
                     static_cast<std::streamsize>(bytes.size()));
        if (!stream_)
            fail(std::to_string(bytes.size()) + " bytes at " + std::to_string(begin) +
                 " cannot be read");
    }

    // A parser keeps the last of two equal keys, and as many levels as the text asks for.
    nlohmann::json parse(std::string const& text) const {
        using Event = nlohmann::json::parse_event_t;
        std::vector<std::set<std::string>> keys;
        auto const check = [&](int, Event event, nlohmann::json& value) {
            if (event == Event::object_start || event == Event::array_start) {
                if (keys.size() == 3) fail("the header is nested too deep");
                keys.emplace_back();
            } else if (event == Event::object_end || event == Event::array_end) {
                keys.pop_back();
            } else if (event == Event::key) {
                auto const& key = value.get_ref<std::string const&>();
                if (!keys.back().insert(key).second)
                    fail("the header has " + detail::in_quotes(key) + " twice");
            }
            return true;
        };
        return nlohmann::json::parse(text, check, false);
    }

    void read_header(std::string const& text) {
        auto const header = parse(text);
        if (!header.is_object()) fail("the header is not a JSON object: not a safetensors file");
        std::vector<std::tuple<std::size_t, std::size_t, std::string_view>> ranges;
        for (auto const& [name, entry] : header.items()) {
            if (name == "__metadata__") {
                read_metadata(entry);
                continue;
            }
            auto const added = arrays_.emplace(name, read_array(name, entry)).first;
            ranges.emplace_back(added->second.begin, added->second.end, added->first);
        }
        std::sort(ranges.begin(), ranges.end());
        std::size_t at = 0;
        for (auto const& [begin, end, name] : ranges) {
            if (begin != at)
                fail("array " + detail::in_quotes(name) + " begins at byte " +
                     std::to_string(begin) + ", expected " + std::to_string(at) +
                     ": arrays overlap or leave a gap");
            at = end;
        }
        if (at != data_size_)
            fail("the arrays take " + std::to_string(at) + " bytes, but the file has " +
                 std::to_string(data_size_) + ": it is truncated or damaged");
    }

    void read_metadata(nlohmann::json const& entry) {
        if (!entry.is_object()) fail("__metadata__ is not an object");
        for (auto const& [key, value] : entry.items()) {
            if (!value.is_string()) fail("__metadata__ " + detail::in_quotes(key) + " is not text");
            metadata_.emplace(key, value.get<std::string>());
        }
    }

    Array read_array(std::string const& name, nlohmann::json const& entry) const {
        auto const are_counts = [&](char const* key) {
            return entry.contains(key) && entry[key].is_array() &&
                   std::all_of(entry[key].begin(), entry[key].end(),
                               [](auto const& n) { return n.is_number_unsigned(); });
        };
        if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() ||
            !are_counts("shape") || !are_counts("data_offsets") ||
            entry["data_offsets"].size() != 2)
            fail("the header's entry " + detail::in_quotes(name) +
                 " needs dtype, shape and data_offsets [begin, end]");
        Array array{entry["dtype"].get<std::string>(), entry["shape"].get<ArrayShape>(),
                    entry["data_offsets"][0].get<std::size_t>(),
                    entry["data_offsets"][1].get<std::size_t>()};
        if (detail::dtype_size(array.dtype) == 0)
            fail("array " + detail::in_quotes(name) + " has the unknown type " +
                 detail::in_quotes(array.dtype));
        if (array.end < array.begin ||
            !detail::takes_bytes(array.dtype, array.shape, array.end - array.begin))
            fail("array " + detail::in_quotes(name) + " of " + array.dtype + " " +
                 detail::to_text(array.shape) + " does not fit its offsets " +
                 std::to_string(array.begin) + " to " + std::to_string(array.end));
        return array;
    }

    std::filesystem::path file_;
    std::ifstream stream_;
    std::size_t data_begin_ = 0, data_size_ = 0;
    std::map<std::string, Array> arrays_;
    Metadata metadata_;
    bool is_verified_ = false;
};

}  // namespace polder
