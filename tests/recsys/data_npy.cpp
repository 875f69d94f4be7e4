#include "recsys/data/npy.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "recsys/data/features.hpp"
#include "recsys/data/source.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace polder::recsys;

// A file of version 1.0 with this dictionary and these bytes.
std::string npy(std::string header, std::string const& values) {
    header += "\n";
    std::string text("\x93NUMPY\x01\x00", 8);
    text += static_cast<char>(header.size() & 0xFF);
    text += static_cast<char>(header.size() >> 8);
    return text + header + values;
}

template <class T>
std::string bytes(std::vector<T> const& values) {
    return {reinterpret_cast<char const*>(values.data()), values.size() * sizeof(T)};
}

std::string npy_header(std::string const& type, std::string const& shape) {
    return "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }";
}

FeatureMatrix read(std::string const& text) {
    std::istringstream stream(text);
    return NpyReader(stream, text.size(), "f.npy").read();
}

}  // namespace

TEST_CASE("matrices of all three widths are read as float", "[npy]") {
    std::vector<float> const expected{1, -2.5F, 0.5F, 0, 65504, 6.103515625e-5F};
    std::vector<double> const wide(expected.begin(), expected.end());
    std::vector<std::uint16_t> const half{0x3C00, 0xC100, 0x3800, 0x0000, 0x7BFF, 0x0400};
    for (auto const& matrix :
         {read(npy(npy_header("<f4", "(2, 3)"), bytes(expected))),
          read(npy(npy_header("<f8", "(2, 3)"), bytes(wide))),
          read(npy(npy_header("<f2", "(2, 3)"), bytes(half))),
          read(npy("{\"shape\":(2,3),'fortran_order':False,'descr':'<f4'}", bytes(expected)))}) {
        CHECK(matrix.rows == 2);
        CHECK(matrix.columns == 3);
        CHECK(matrix.values == expected);
    }
}

TEST_CASE("halves are exact", "[npy]") {
    CHECK(float_of_half(0x0001) == std::ldexp(1.0F, -24));
    CHECK(float_of_half(0x03FF) == std::ldexp(1023.0F, -24));
    CHECK(float_of_half(0x3555) == 0.333251953125F);
    CHECK(std::signbit(float_of_half(0x8000)));
    CHECK(float_of_half(0xFC00) == -std::numeric_limits<float>::infinity());
    CHECK(std::isnan(float_of_half(0x7E01)));
}

TEST_CASE("what is written is read", "[npy]") {
    TemporaryDirectory const folder;
    std::vector<float> const values{1, 2, 3, 4, 5, 6};
    write_npy(folder / "m.npy", 3, 2, values);
    CHECK(read_npy(folder / "m.npy").values == values);
    CHECK(read_npy_header(folder / "m.npy").rows == 3);
    CHECK(folder.read("m.npy").size() == 128 + 24);
    CHECK_THROWS_WITH(read_npy(folder / "m.npy", 4),
                      ContainsSubstring("m.npy: has 3 rows, expected 4, one for each item"));
    CHECK_THROWS_WITH(read_npy(folder / "absent"), ContainsSubstring("absent: no such file"));
    CHECK_THROWS_WITH(read_npy(folder.path()), ContainsSubstring("is a directory"));
    CHECK_THROWS_WITH(write_npy(folder / "m.npy", 2, 2, values),
                      ContainsSubstring("6 values, expected 2 x 2"));
}

TEST_CASE("damaged npy files are refused in one line", "[npy]") {
    auto const fails = [](std::string const& text, std::string const& message) {
        CHECK_THROWS_WITH(read(text), ContainsSubstring("f.npy: ") && ContainsSubstring(message));
    };
    auto const good = npy(npy_header("<f4", "(1, 2)"), bytes<float>({1, 2}));
    CHECK_NOTHROW(read(good));
    fails("", "is not an npy file");
    fails("\x93NUMPZ\x01 more than ten", "is not an npy file");
    fails(std::string("\x93NUMPY\x07\x00\x00\x00", 10), "npy version 7, expected 1, 2 or 3");
    fails(good.substr(0, 40), "promises a header of");
    fails(good.substr(0, good.size() - 1), "but 7 bytes follow: it is truncated");
    fails(good + "x", "but 9 bytes follow");
    // Promises of more than there is, up to an overflow, allocate nothing.
    fails(npy(npy_header("<f4", "(4000000000, 4000000000)"), ""), "but 0 bytes follow");
    fails(npy(npy_header("<f8", "(2305843009213693952, 8)"), ""), "but 0 bytes follow");
    fails(npy(npy_header("<f4", "(99999999999999999999, 1)"), ""), "shape is not whole numbers");
    std::string longest("\x93NUMPY\x02\x00\xFF\xFF\xFF\x7F", 12);
    fails(longest + std::string(99, ' '), "promises a header of 2147483647 bytes");

    fails(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }", bytes<float>({1, 2})),
          "is in Fortran order, expected C order");
    fails(npy(npy_header(">f4", "(1, 2)"), bytes<float>({1, 2})), "'>f4', expected '<f2'");
    fails(npy(npy_header("<i4", "(1, 2)"), bytes<float>({1, 2})), "'<i4', expected '<f2'");
    fails(npy(npy_header("<f4", "(2,)"), bytes<float>({1, 2})), "has 1 dimensions, expected 2");
    fails(npy(npy_header("<f4", "(1, -2)"), ""), "shape is not whole numbers");
    fails(npy("{'descr': '<f4', 'shape': (1, 2), }", ""), "lacks one of");
    fails(npy("{'descr': '<f4', 'descr': '<f4', }", ""), "'descr', expected");
    fails(npy("{'descr': '<f4, }", ""), "has no end");
    fails(npy("[]", ""), "expected '{'");
    fails(
        npy("{'descr': [('a', '<f4'), ('b', '<f4')], 'fortran_order': False, 'shape': (1,), }", ""),
        "holds structured values, expected '<f2', '<f4' or '<f8'");
    fails(npy(npy_header("<f4", "(1, 2)") + "x", ""), "goes on after");

    float const nan = std::numeric_limits<float>::quiet_NaN();
    fails(npy(npy_header("<f4", "(2, 2)"), bytes<float>({1, 2, 3, nan})), "row 1, column 1 is not");
    fails(npy(npy_header("<f8", "(1, 2)"), bytes<double>({1, 1e300})), "row 0, column 1 is not");
    fails(npy(npy_header("<f2", "(1, 1)"), bytes<std::uint16_t>({0x7C00})),
          "row 0, column 0 is not");
}

TEST_CASE("features are found by their files and play visual and textual", "[npy][features]") {
    TemporaryDirectory const folder;
    folder.write("d.inter", "userID\titemID\tx_label\n0\t0\t0\n0\t1\t1\n1\t2\t0\n");
    std::vector<float> const three{1, 2, 3}, other{4, 5, 6};
    write_npy(folder / "image_feat.npy", 3, 1, three);
    write_npy(folder / "audio_feat.npy", 3, 1, other);
    write_npy(folder / "short_feat.npy", 1, 3, other);
    auto const name = folder.path().string();
    CHECK(find_feature_files(folder.path()).size() == 3);

    auto const by_default = load_data({.name = name}, true);
    CHECK(by_default.visual.values == three);
    CHECK(by_default.textual.empty());
    CHECK(load_data({.name = name}, false).visual.empty());
    CHECK(load_data({.name = name + "/d.inter"}, true).visual.values == three);

    auto const chosen =
        load_data({.name = name, .visual = name + "/audio_feat.npy", .textual = "audio"}, true);
    CHECK(chosen.visual.values == other);
    CHECK(chosen.textual.values == other);
    CHECK(load_data({.name = name, .textual = "image_feat.npy"}, true).textual.values == three);

    CHECK_THROWS_WITH(load_data({.name = name, .textual = "text"}, true),
                      ContainsSubstring("audio, image, short"));
    CHECK_THROWS_WITH(load_data({.name = name, .textual = "short"}, true),
                      ContainsSubstring("short_feat.npy: has 1 rows, expected 3"));
    CHECK_THROWS_WITH(load_data({.name = "synthetic:tiny", .visual = "image"}, true),
                      ContainsSubstring("are for data of files"));
}
