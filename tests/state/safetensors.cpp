#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string>
#include <type_traits>
#include <vector>

#include <polder/state/safetensors.hpp>

#include "support/temporary_directory.hpp"

namespace {

using namespace polder;

// A file with this header and so many bytes of data.
std::string bytes(std::string const& header, std::size_t n_data) {
    auto const length = static_cast<std::uint64_t>(header.size());
    std::string text(sizeof length, '\0');
    std::memcpy(text.data(), &length, sizeof length);
    return text + header + std::string(n_data, '\0');
}

std::string entry(std::string const& dtype, std::string const& shape, std::string const& offsets) {
    return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
           offsets + "}}";
}

}  // namespace

TEST_CASE("arrays and metadata are read as they were written", "[state]") {
    TemporaryDirectory const folder;
    std::vector<float> const a{1, 2, 3, 4, 5, 6};
    std::vector<double> const b{7};
    std::vector<std::uint8_t> const mask{0, 1, 255};
    std::uint64_t const count[] = {~std::uint64_t{0}};
    std::int64_t const negative[] = {-1, 2};
    std::vector<float> const none;
    SafetensorsWriter writer;
    writer.add("a", {2, 3}, a);
    writer.add("empty", {0, 4}, none);
    writer.add("mask", {3}, mask);
    writer.add("b", {1}, b);
    writer.add("count", {}, count);
    writer.add("negative", {2}, negative);
    writer.add_metadata("key", "text with \"quotes\" and ü");
    writer.write(folder / "file");

    SafetensorsFile file(folder / "file");
    CHECK(file.path() == folder / "file");
    CHECK(file.arrays().size() == 6);
    CHECK(file.arrays().at("a").shape == ArrayShape{2, 3});
    CHECK(file.metadata("key") == "text with \"quotes\" and ü");
    file.verify();
    auto const read = [&](char const* name, auto const& written, ArrayShape const& shape) {
        std::vector<std::remove_cvref_t<decltype(written[0])>> values(std::size(written));
        file.read(name, shape, values);
        CHECK(std::equal(values.begin(), values.end(), std::begin(written)));
        for (auto const& [key, array] : file.arrays())
            if (key == name) CHECK(array.begin % sizeof written[0] == 0);
    };
    read("a", a, {2, 3});
    read("b", b, {1});
    read("mask", mask, {3});
    read("count", count, {});
    read("negative", negative, {2});
    read("empty", none, {0, 4});

    std::vector<float> one(1);
    CHECK_THROWS_WITH(file.metadata("absent"), ContainsSubstring("the metadata has no 'absent'"));
    CHECK_THROWS_WITH(file.read("c", {1}, one), ContainsSubstring("there is no array 'c'"));
    CHECK_THROWS_WITH(file.read("b", {1}, one),
                      ContainsSubstring("array 'b' is F64 (1), expected F32 (1)"));
    CHECK_THROWS_WITH(file.read("a", {3, 2}, std::vector<float>(6)),
                      ContainsSubstring("array 'a' is F32 (2, 3), expected F32 (3, 2)"));
    CHECK_THROWS_WITH(writer.add("a", {6}, a), ContainsSubstring("the name is taken"));
    CHECK_THROWS_WITH(writer.add("c", {5}, a),
                      ContainsSubstring("array 'c' has 24 bytes, expected F32 (5)"));
}

TEST_CASE("a file is what the format says, byte by byte", "[state]") {
    TemporaryDirectory const folder;
    SafetensorsWriter writer;
    std::uint8_t const narrow[] = {1, 2};
    float const wide[] = {1};
    writer.add("n", {2}, narrow);
    writer.add("w", {}, wide);
    writer.write(folder / "file");
    std::string header = R"({"__metadata__":{"polder.checksum":"083127471868083a"},)"
                         R"("n":{"data_offsets":[4,6],"dtype":"U8","shape":[2]},)"
                         R"("w":{"data_offsets":[0,4],"dtype":"F32","shape":[]}})";
    header.append((8 - header.size() % 8) % 8, ' ');
    CHECK(folder.read("file") == bytes(header, 0) + std::string("\0\0\x80\x3f\1\2", 6));
}

TEST_CASE("the checksum tells a change of any value", "[state]") {
    TemporaryDirectory const folder;
    std::vector<float> const values(70'001, 1.5F);
    SafetensorsWriter writer;
    writer.add("a", {values.size()}, values);
    writer.write(folder / "file");
    SafetensorsFile(folder / "file").verify();
    auto const content = folder.read("file");
    auto const n_data = values.size() * sizeof(float);
    for (std::size_t const at : {std::size_t{1}, n_data / 2, n_data}) {
        auto damaged = content;
        damaged[damaged.size() - at] ^= 1;
        SafetensorsFile file(folder.write("damaged", damaged));
        CHECK_THROWS_WITH(file.verify(), ContainsSubstring("damaged: the checksum of its arrays"));
    }
    // Files of others have none.
    SafetensorsFile(folder.write("other", bytes(entry("F32", "[1]", "[0,4]"), 4))).verify();
}

TEST_CASE("a damaged safetensors file is refused before anything is allocated", "[state]") {
    TemporaryDirectory const folder;
    auto const fails = [&](std::string const& content, std::string const& message) {
        auto const path = folder.write("file", content);
        CAPTURE(message);
        CHECK_THROWS_WITH(SafetensorsFile(path),
                          ContainsSubstring(path.string() + ": ") && ContainsSubstring(message));
    };
    CHECK_THROWS_WITH(SafetensorsFile(folder / "absent"), ContainsSubstring("no such file"));
    CHECK_THROWS(SafetensorsFile(folder.path()));
    fails("", "has 0 bytes, too few");
    fails("1234567", "has 7 bytes, too few");
    fails(std::string(8, '\xff'), "promises a header of 18446744073709551615 bytes");
    fails(bytes("{}", 0).substr(0, 9), "promises a header of 2 bytes, but has 9 in all");
    fails("PK\x03\x04 a zip file, for example", "promises a header of");
    fails(bytes("not JSON", 0), "the header is not a JSON object");
    fails(bytes("[1]", 0), "the header is not a JSON object");
    fails(bytes(std::string(10'000, '['), 0), "the header is nested too deep");
    fails(bytes(R"({"a": {"shape": [[1]]}})", 0), "the header is nested too deep");
    fails(bytes(R"({"a": 1})", 0), "'a' needs dtype, shape and data_offsets");
    fails(bytes(entry("F32", "[-1]", "[0,4]"), 4), "'a' needs dtype, shape");
    fails(bytes(entry("F32", "[1.5]", "[0,4]"), 4), "'a' needs dtype, shape");
    fails(bytes(entry("F32", "[1]", "[0]"), 4), "'a' needs dtype, shape");
    fails(bytes(entry("F7", "[1]", "[0,4]"), 4), "array 'a' has the unknown type 'F7'");
    fails(bytes(entry("F32", "[2]", "[0,4]"), 4), "of F32 (2) does not fit its offsets 0 to 4");
    fails(bytes(entry("F32", "[1]", "[4,0]"), 4), "does not fit its offsets");
    fails(bytes(entry("F32", "[4294967296,4294967296,4]", "[0,0]"), 0), "does not fit its offsets");
    fails(bytes(entry("F32", "[1]", "[4,8]"), 8), "array 'a' begins at byte 4, expected 0");
    fails(bytes(entry("F32", "[1]", "[0,4]"), 3), "the arrays take 4 bytes, but the file has 3");
    fails(bytes(entry("F32", "[1]", "[0,4]"), 5), "the arrays take 4 bytes, but the file has 5");
    fails(bytes(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                3),
          "array 'b' begins at byte 1, expected 2: arrays overlap or leave a gap");
    fails(bytes(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                R"("b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})",
                2),
          "array 'b' begins at byte 0, expected 2");
    fails(bytes(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                R"("a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
                4),
          "the header has 'a' twice");
    fails(bytes(R"({"a":{"dtype":"U8","dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 2),
          "the header has 'dtype' twice");
    fails(bytes(R"({"__metadata__": {"key": "1", "key": "2"}})", 0), "the header has 'key' twice");
    fails(bytes("{\"a\\nb\": 1}", 0), "entry 'a?b' needs");
    fails(bytes("{\"" + std::string(2000, 'x') + "\": 1}", 0), "xxx...' needs");
    fails(bytes(R"({"__metadata__": {"key": 1}})", 0), "__metadata__ 'key' is not text");
    fails(bytes(R"({"__metadata__": []})", 0), "__metadata__ is not an object");
}
