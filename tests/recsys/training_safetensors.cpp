#include "recsys/training/safetensors.hpp"

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "recsys/temporary_directory.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder::recsys;

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

TEST_CASE("arrays and metadata are read as they were written", "[checkpoint]") {
    TemporaryDirectory const folder;
    std::vector<float> const a{1, 2, 3, 4, 5, 6}, b{7};
    SafetensorsWriter writer;
    writer.add("a", {2, 3}, a);
    writer.add("empty", {0, 4}, {});
    writer.add("b", {1}, b);
    writer.add_metadata("key", "text with \"quotes\" and ü");
    writer.write(folder / "file");

    SafetensorsFile file(folder / "file");
    CHECK(file.arrays().size() == 3);
    CHECK(file.arrays().at("a").shape == std::vector<std::size_t>{2, 3});
    CHECK(file.metadata("key") == "text with \"quotes\" and ü");
    std::vector<float> values(6), one(1);
    file.read("a", {2, 3}, values);
    file.read("b", {1}, one);
    file.read("empty", {0, 4}, {});
    CHECK(values == a);
    CHECK(one == b);
    CHECK_THROWS_WITH(file.metadata("absent"), ContainsSubstring("the metadata has no 'absent'"));
    CHECK_THROWS_WITH(file.read("c", {1}, one), ContainsSubstring("there is no array 'c'"));
    CHECK_THROWS_WITH(file.read("a", {3, 2}, values),
                      ContainsSubstring("array 'a' is F32 (2, 3), expected F32 (3, 2)"));
}

TEST_CASE("a damaged safetensors file is refused before anything is allocated", "[checkpoint]") {
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
    fails(bytes(std::string(10'000, '['), 0), "the header is not a JSON object");
    fails(bytes(R"({"a": 1})", 0), "'a' needs dtype, shape and data_offsets");
    fails(bytes(entry("F32", "[-1]", "[0,4]"), 4), "'a' needs dtype, shape");
    fails(bytes(entry("F32", "[1.5]", "[0,4]"), 4), "'a' needs dtype, shape");
    fails(bytes(entry("F32", "[1]", "[0]"), 4), "'a' needs dtype, shape");
    fails(bytes(entry("F7", "[1]", "[0,4]"), 4), "array 'a' has the unknown type F7");
    fails(bytes(entry("F32", "[2]", "[0,4]"), 4), "of shape (2) does not fit its offsets 0 to 4");
    fails(bytes(entry("F32", "[1]", "[4,0]"), 4), "does not fit its offsets");
    fails(bytes(entry("F32", "[4294967296,4294967296,4]", "[0,0]"), 0), "does not fit its offsets");
    fails(bytes(entry("F32", "[1]", "[4,8]"), 8), "overlap or leave a gap at byte 0");
    fails(bytes(entry("F32", "[1]", "[0,4]"), 3), "the arrays take 4 bytes, but the file has 3");
    fails(bytes(entry("F32", "[1]", "[0,4]"), 5), "the arrays take 4 bytes, but the file has 5");
    fails(bytes(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                3),
          "overlap or leave a gap at byte 2");
    fails(bytes(R"({"__metadata__": {"key": 1}})", 0), "__metadata__ 'key' is not text");
    fails(bytes(R"({"__metadata__": []})", 0), "__metadata__ is not an object");
}

TEST_CASE("a file is replaced as a whole or not at all", "[checkpoint]") {
    TemporaryDirectory const folder;
    folder.write("file", "old");
    require_writable(folder / "file");
    CHECK(folder.read("file") == "old");
    write_text_file(folder / "file", "new");
    CHECK(folder.read("file") == "new");
    CHECK_THROWS(write_file(folder / "file", [](std::ostream& stream) {
        stream << "half";
        stream.setstate(std::ios::failbit);
    }));
    CHECK(folder.read("file") == "new");
    std::size_t n_files = 0;
    for ([[maybe_unused]] auto const& entry : std::filesystem::directory_iterator(folder.path()))
        ++n_files;
    CHECK(n_files == 1);
    CHECK_THROWS_WITH(require_writable(folder.path()),
                      ContainsSubstring("cannot be written: it is a directory"));
    CHECK_THROWS_WITH(require_writable(folder / "absent/file"),
                      ContainsSubstring("cannot be written: there is no directory"));
    CHECK_THROWS_WITH(require_writable(""), ContainsSubstring("cannot be written"));
}
