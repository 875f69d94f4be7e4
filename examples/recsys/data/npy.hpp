/// Matrices of numbers in NumPy's format, read with suspicion and written:
///
///     6 bytes    "\x93NUMPY"
///     2 bytes    version: 1.0, 2.0 or 3.0
///     2 bytes    n, the length of the header, little-endian (version 1.0; otherwise 4 bytes)
///     n bytes    {'descr': '<f4', 'fortran_order': False, 'shape': (rows, columns), }
///     the rest   values, row-major, little-endian
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <istream>
#include <optional>
#include <ostream>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <polder/state/file.hpp>

#include "recsys/data/dataset.hpp"

namespace polder::recsys {

static_assert(std::endian::native == std::endian::little,
              "npy files are little-endian, and so must the processor be");

/// The value of IEEE 754's binary16.
inline float float_of_half(std::uint16_t half) {
    std::uint32_t const sign = static_cast<std::uint32_t>(half & 0x8000U) << 16;
    std::uint32_t const exponent = half >> 10 & 0x1FU, fraction = half & 0x3FFU;
    if (exponent == 0) {  // zero or subnormal: fraction 2^-24
        float const value = std::ldexp(static_cast<float>(fraction), -24);
        return sign != 0 ? -value : value;
    }
    std::uint32_t const wide = exponent == 0x1F ? 0xFFU : exponent + 112;
    return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

/// What a file says of its matrix.
struct NpyHeader {
    std::size_t bytes_per_value = 4;  ///< 2, 4 or 8: float16, float32, float64
    std::size_t rows = 0, columns = 0;
};

/// Reads one file. Every error is a std::runtime_error, one line that begins with the file's name.
class NpyReader {
public:
    /// `stream`, of `size` bytes, must be at its beginning and live as long as the reader. Reads the header
    /// and compares it with `size`: nothing larger than the file is ever allocated. Throws for anything but
    /// a matrix of float16, float32 or float64 in C order, all of it there.
    NpyReader(std::istream& stream, std::uint64_t size, std::string file)
        : stream_(stream), file_(std::move(file)) {
        std::array<char, 8> magic{};
        if (size < 10 || !stream_.read(magic.data(), magic.size()) ||
            std::string_view(magic.data(), 6) != "\x93NUMPY")
            fail("is not an npy file: it does not begin with \\x93NUMPY");
        int const version = magic[6];
        if (version < 1 || version > 3)
            fail("npy version " + std::to_string(version) + ", expected 1, 2 or 3");
        std::uint32_t length = 0;
        std::uint64_t const before = version == 1 ? 10 : 12;
        if (size < before ||
            !stream_.read(reinterpret_cast<char*>(&length), version == 1 ? 2 : 4) ||
            length > size - before || length > max_header)
            fail("promises a header of " + std::to_string(length) + " bytes, but the file has " +
                 std::to_string(size) + ": it is truncated or damaged");
        std::string text(length, '\0');
        if (!stream_.read(text.data(), static_cast<std::streamsize>(text.size())))
            fail("the header cannot be read");
        rest_ = text;
        read_header();
        std::uint64_t expected = header_.bytes_per_value;
        bool const overflows = __builtin_mul_overflow(expected, header_.rows, &expected) ||
                               __builtin_mul_overflow(expected, header_.columns, &expected);
        if (overflows || expected != size - before - length)
            fail("the header promises " + std::to_string(header_.rows) + " x " +
                 std::to_string(header_.columns) + " values of " +
                 std::to_string(header_.bytes_per_value) + " bytes, but " +
                 std::to_string(size - before - length) +
                 " bytes follow: it is truncated or damaged");
    }

    NpyHeader const& header() const { return header_; }

    /// The values, cast to float. Throws for one that is not finite, or is not as float.
    FeatureMatrix read() {
        FeatureMatrix matrix{header_.rows, header_.columns, {}};
        matrix.values.resize(header_.rows * header_.columns);
        if (header_.bytes_per_value == 2)
            convert<std::uint16_t>(matrix, float_of_half);
        else if (header_.bytes_per_value == 4)
            convert<float>(matrix, [](float value) { return value; });
        else
            convert<double>(matrix, [](double value) { return static_cast<float>(value); });
        return matrix;
    }

    /// Throws std::runtime_error with the file's name.
    [[noreturn]] void fail(std::string const& what) const {
        throw std::runtime_error(file_ + ": " + what);
    }

private:
    static constexpr std::uint32_t max_header = 1 << 20;

    // The header is a dictionary as Python writes it, of these three keys in any order.
    void read_header() {
        std::optional<std::string> type, order;
        std::vector<std::uint64_t> shape;
        bool has_shape = false;
        expect('{');
        while (!accept('}')) {
            auto const key = quoted();
            expect(':');
            if (key == "descr" && !type) {
                skip_blanks();
                if (rest_.starts_with('['))
                    fail("holds structured values, expected '<f2', '<f4' or '<f8'");
                type = quoted();
            } else if (key == "fortran_order" && !order) {
                order = word();
            } else if (key == "shape" && !has_shape) {
                has_shape = true;
                shape = tuple();
            } else {
                fail("the header has '" + key +
                     "', expected descr, fortran_order and shape once each");
            }
            if (!accept(',')) {
                expect('}');
                break;
            }
        }
        if (!rest_.empty() && rest_.find_first_not_of(" \n") != std::string_view::npos)
            fail("the header goes on after its '}'");
        if (!type || !order || !has_shape)
            fail("the header lacks one of descr, fortran_order, shape");
        if (*order != "False" && *order != "True")
            fail("fortran_order is '" + *order + "', expected False");
        if (*order == "True")
            fail("is in Fortran order, expected C order (numpy.ascontiguousarray)");
        if (*type == "<f2" || *type == "<f4" || *type == "<f8")
            header_.bytes_per_value = static_cast<std::size_t>((*type)[2] - '0');
        else
            fail("holds values of type '" + *type + "', expected '<f2', '<f4' or '<f8'");
        if (shape.size() != 2)
            fail("has " + std::to_string(shape.size()) +
                 " dimensions, expected 2: items x columns");
        header_.rows = shape[0];
        header_.columns = shape[1];
    }

    void skip_blanks() {
        auto const next = rest_.find_first_not_of(" \t\n");
        rest_.remove_prefix(std::min(next, rest_.size()));
    }
    bool accept(char wanted) {
        skip_blanks();
        if (!rest_.starts_with(wanted)) return false;
        rest_.remove_prefix(1);
        return true;
    }
    void expect(char wanted) {
        if (!accept(wanted)) fail(std::string("the header is damaged: expected '") + wanted + "'");
    }
    std::string quoted() {
        skip_blanks();
        char const quote = rest_.empty() ? '\0' : rest_.front();
        if (quote != '\'' && quote != '"') fail("the header is damaged: expected a text in quotes");
        rest_.remove_prefix(1);
        auto const end = rest_.find(quote);
        if (end == std::string_view::npos)
            fail("the header is damaged: a text in quotes has no end");
        auto const text = shown(rest_.substr(0, end));
        rest_.remove_prefix(end + 1);
        return text;
    }
    std::string word() {
        skip_blanks();
        auto const end = std::min(rest_.find_first_of(" ,}\n"), rest_.size());
        auto const text = shown(rest_.substr(0, end));
        rest_.remove_prefix(end);
        return text;
    }
    std::vector<std::uint64_t> tuple() {
        std::vector<std::uint64_t> values;
        expect('(');
        while (!accept(')')) {
            skip_blanks();
            std::uint64_t value = 0;
            auto const result = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
            if (result.ec != std::errc{}) fail("the header is damaged: shape is not whole numbers");
            rest_.remove_prefix(static_cast<std::size_t>(result.ptr - rest_.data()));
            values.push_back(value);
            if (!accept(',')) {
                expect(')');
                break;
            }
        }
        return values;
    }

    // Text of the file as it may stand in a message: short, one line.
    static std::string shown(std::string_view text) {
        std::string result(text.substr(0, 40));
        std::replace_if(
            result.begin(), result.end(),
            [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
        return text.size() > 40 ? result + "..." : result;
    }

    template <class Stored, class Cast>
    void convert(FeatureMatrix& matrix, Cast const& cast) {
        std::vector<Stored> part(std::min<std::size_t>(matrix.values.size(), 1 << 16));
        for (std::size_t begin = 0; begin < matrix.values.size(); begin += part.size()) {
            auto const n = std::min(part.size(), matrix.values.size() - begin);
            if (!stream_.read(reinterpret_cast<char*>(part.data()),
                              static_cast<std::streamsize>(n * sizeof(Stored))))
                fail("the values cannot be read");
            for (std::size_t k = 0; k < n; ++k) {
                float const value = cast(part[k]);
                if (!std::isfinite(value))
                    fail("row " + std::to_string((begin + k) / matrix.columns) + ", column " +
                         std::to_string((begin + k) % matrix.columns) +
                         " is not a finite number (as float)");
                matrix.values[begin + k] = value;
            }
        }
    }

    std::istream& stream_;
    std::string file_;
    std::string_view rest_;  // of the header, while it is read
    NpyHeader header_;
};

namespace detail {

// Calls f(reader) for the file. Throws std::runtime_error that names it.
template <class F>
auto with_npy(std::filesystem::path const& file, F const& f) {
    std::error_code error;
    if (!std::filesystem::exists(file, error))
        throw std::runtime_error(file.string() + ": no such file");
    if (std::filesystem::is_directory(file, error))
        throw std::runtime_error(file.string() + ": is a directory, expected a file");
    auto const size = std::filesystem::file_size(file, error);
    std::ifstream stream(file, std::ios::binary);
    if (error || !stream) throw std::runtime_error(file.string() + ": cannot be read");
    NpyReader reader(stream, size, file.string());
    return f(reader);
}

}  // namespace detail

/// Rows, columns and type of an npy file; throws as NpyReader.
inline NpyHeader read_npy_header(std::filesystem::path const& file) {
    return detail::with_npy(file, [](NpyReader& reader) { return reader.header(); });
}

/// The matrix in an npy file, which must have `rows` rows if that is given. Throws std::runtime_error that
/// names the file.
inline FeatureMatrix read_npy(std::filesystem::path const& file,
                              std::optional<std::size_t> rows = std::nullopt) {
    return detail::with_npy(file, [&](NpyReader& reader) {
        if (rows && reader.header().rows != *rows)
            reader.fail("has " + std::to_string(reader.header().rows) + " rows, expected " +
                        std::to_string(*rows) + ", one for each item");
        if (reader.header().columns == 0) reader.fail("has no columns");
        return reader.read();
    });
}

/// Writes a row-major matrix as float32, version 1.0. Throws FileError; std::invalid_argument where there are
/// not rows x columns values.
inline void write_npy(std::filesystem::path const& file, std::size_t rows, std::size_t columns,
                      std::span<float const> values) {
    if (values.size() != rows * columns)
        throw std::invalid_argument(file.string() + ": " + std::to_string(values.size()) +
                                    " values, expected " + std::to_string(rows) + " x " +
                                    std::to_string(columns));
    auto header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) +
                  ", " + std::to_string(columns) + "), }";
    // Values begin at a multiple of 64 bytes.
    header.append(63 - (10 + header.size()) % 64, ' ').append("\n");
    auto const length = static_cast<std::uint16_t>(header.size());
    write_file(file, [&](std::ostream& stream) {
        stream.write("\x93NUMPY\x01\x00", 8);
        stream.write(reinterpret_cast<char const*>(&length), sizeof length);
        stream.write(header.data(), static_cast<std::streamsize>(header.size()));
        stream.write(reinterpret_cast<char const*>(values.data()),
                     static_cast<std::streamsize>(values.size_bytes()));
    });
}

}  // namespace polder::recsys
