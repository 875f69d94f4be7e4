#include "recsys/models/item_graph.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <polder/state/safetensors.hpp>

#include "recsys/finite_differences.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace polder::recsys;
using polder::MatrixView;

// Item graphs by definition: all cosines, all sorted.
Csr<double> expected_neighbours(test::Matrix<double> const& x, std::size_t k) {
    auto const dot = [&](std::size_t a, std::size_t b) {
        double sum = 0;
        for (std::size_t j = 0; j < x.cols; ++j)
            sum += x.values[a * x.cols + j] * x.values[b * x.cols + j];
        return sum;
    };
    Csr<double> result{x.rows, x.rows, {0}, {}, {}};
    for (std::size_t i = 0; i < x.rows; ++i) {
        std::vector<std::pair<double, std::int32_t>> row;
        for (std::size_t j = 0; j < x.rows; ++j)
            row.emplace_back(-dot(i, j) / std::sqrt(dot(i, i) * dot(j, j)),
                             static_cast<std::int32_t>(j));
        std::sort(row.begin(), row.end());
        row.resize(k);
        std::sort(row.begin(), row.end(), [](auto a, auto b) { return a.second < b.second; });
        for (auto const& [cosine, j] : row) {
            result.columns.push_back(j);
            result.values.push_back(-cosine);
        }
        result.offsets.push_back(result.columns.size());
    }
    return result;
}

FeatureMatrix features(std::size_t columns, std::vector<float> values) {
    return {values.size() / columns, columns, std::move(values)};
}

}  // namespace

TEST_CASE("nearest neighbours are those of all cosines", "[recsys][item_graph]") {
    for (const std::size_t n : {1U, 9U, 256U, 257U, 700U}) {
        auto const x = test::random_matrix<double>(n, 5, n);
        const std::size_t k = std::min<std::size_t>(n, 7);
        auto const expected = expected_neighbours(x, k);
        auto const found = nearest_neighbours<double>(x, static_cast<int>(k), 1);
        CHECK(found.rows == n);
        CHECK(found.cols == n);
        CHECK(found.offsets == expected.offsets);
        CHECK(found.columns == expected.columns);
        double error = 0;
        for (std::size_t e = 0; e < found.values.size(); ++e)
            error = std::max(error, std::abs(found.values[e] - expected.values[e]));
        CHECK(error < 1e-14);
    }
}

TEST_CASE("nearest neighbours are the same on 1, 2 and 5 threads",
          "[recsys][item_graph][threads]") {
    auto const x = test::random_matrix<float>(1100, 20, 3);
    auto const expected = nearest_neighbours<float>(x, 10, 1);
    for (const int threads : {2, 5}) {
        auto const found = nearest_neighbours<float>(x, 10, threads);
        CHECK(found.columns == expected.columns);
        CHECK(found.values == expected.values);
    }
}

TEST_CASE("of equally near neighbours the first ones count", "[recsys][item_graph]") {
    // Rows 0, 3, 6, ... are equal, and so are 1, 4, 7, ... and 2, 5, 8, ...
    auto const three = test::random_matrix<float>(3, 11, 4);
    test::Matrix<float> x{600, 11};
    for (std::size_t e = 0; e < x.values.size(); ++e) x.values[e] = three.values[e % 33];
    auto const found = nearest_neighbours<float>(x, 4, 2);
    for (std::size_t i = 0; i < 600; ++i)
        for (std::size_t e = 0; e < 4; ++e)
            REQUIRE(found.columns[4 * i + e] == static_cast<std::int32_t>(i % 3 + 3 * e));
}

TEST_CASE("an item without features has cosine 0 with every item", "[recsys][item_graph]") {
    const std::vector<double> x = {1, 0, 0, 0, -1, 1};
    auto const found = nearest_neighbours<double>({x.data(), 3, 2}, 2, 1);
    CHECK(found.columns == std::vector<std::int32_t>{0, 1, 0, 1, 1, 2});
    CHECK(found.values[1] == 0);
    CHECK(found.values[2] == 0);
    CHECK(found.values[3] == 0);
}

TEST_CASE("more neighbours than items are refused", "[recsys][item_graph]") {
    auto const x = test::random_matrix<float>(3, 2, 1);
    CHECK_THROWS_WITH(
        nearest_neighbours<float>(x, 4, 1),
        "knn_k = 4, expected 1 to 3, the number of items, each of which has k nearest ones");
    CHECK_THROWS_AS(nearest_neighbours<float>(x, 0, 1), std::invalid_argument);
}

TEST_CASE("neighbours are kept on disk by the content of the features", "[recsys][item_graph]") {
    const TemporaryDirectory directory;
    auto const folder = directory / "some" / "where";
    auto const files = [&] {
        std::vector<std::filesystem::path> result;
        for (auto const& entry : std::filesystem::directory_iterator(folder))
            result.push_back(entry.path());
        std::sort(result.begin(), result.end());
        return result;
    };
    auto x = test::random_matrix<float>(40, 3, 1);
    auto const expected = nearest_neighbours<float>(x, 4, 1);
    auto const check = [&](std::string const& what) {
        INFO(what);
        auto const found = cached_neighbours<float>(folder, x, 4, 1);
        CHECK(found.rows == 40);
        CHECK(found.cols == 40);
        CHECK(found.offsets == expected.offsets);
        CHECK(found.columns == expected.columns);
        CHECK(found.values == expected.values);
    };
    check("made");
    REQUIRE(files().size() == 1);
    auto const file = files().front();
    CHECK(file.filename().string().starts_with("neighbours-float32-40x3-k4-"));
    check("read");

    // That it is read and not computed shows where it holds something else.
    auto other = expected.columns;
    std::fill(other.begin(), other.end(), 0);
    for (std::size_t e = 0; e < other.size(); ++e) other[e] = static_cast<std::int32_t>(e % 4);
    auto const replace = [&](std::vector<std::int32_t> const& columns) {
        polder::SafetensorsWriter writer;
        writer.add("items", {40, 4}, columns);
        writer.add("cosines", {40, 4}, expected.values);
        writer.write(file);
    };
    replace(other);
    CHECK(cached_neighbours<float>(folder, x, 4, 1).columns == other);

    // What cannot be the neighbours of 40 items is computed again, and so is a damaged file.
    other[3] = 40;
    replace(other);
    check("an item that there is not");
    other[3] = 2;
    replace(other);
    check("an item twice");
    check("replaced");
    std::string bytes = directory.read(file.string());
    bytes[bytes.size() - 2] ^= 1;
    directory.write(file.string(), bytes);
    check("a changed bit");
    CHECK(directory.read(file.string()) != bytes);
    for (const std::size_t size : {0U, 5U, 60U, 200U}) {
        directory.write(file.string(), bytes.substr(0, size));
        check("truncated");
    }
    directory.write(file.string(), "something else");
    check("something else");
    CHECK(files().size() == 1);

    cached_neighbours<float>(folder, x, 3, 1);
    CHECK(files().size() == 2);
    x.values[7] = -x.values[7];
    x.values[9] = -x.values[9];
    cached_neighbours<float>(folder, x, 3, 1);
    CHECK(files().size() == 3);
    auto const wide = test::random_matrix<double>(40, 3, 1);
    cached_neighbours<double>(folder, wide, 3, 1);
    CHECK(files().size() == 4);
    CHECK_THROWS_AS(cached_neighbours<float>(folder, x, 41, 1), std::invalid_argument);
    CHECK_THROWS_AS(cached_neighbours<float>(file, x, 3, 1), polder::FileError);
}

TEST_CASE("the frozen item graph mixes the neighbours of both modalities", "[recsys][item_graph]") {
    // Nearest others: visual 0 - 1, 2 - 1, textual 0 - 2, 1 - 2.
    Dataset data;
    data.visual = features(2, {1, 0, 1, 0.1F, 1, 1});
    data.textual = features(2, {0.5F, 0.4F, -1, 2, 0.1F, 3});
    const double one = 1 / (2 + 1e-7);

    auto const both = frozen_item_graph<double>(data, 2, 0.1, 1);
    CHECK(both.offsets == std::vector<std::size_t>{0, 3, 6, 8});
    CHECK(both.columns == std::vector<std::int32_t>{0, 1, 2, 0, 1, 2, 1, 2});
    const std::vector<double> expected = {1, 0.1, 0.9, 0.1, 1, 0.9, 1, 1};
    for (std::size_t e = 0; e < expected.size(); ++e)
        CHECK(both.values[e] == Approx(expected[e] * one).epsilon(1e-14));

    std::swap(data.visual, data.textual);
    data.visual = {};
    auto const only = frozen_item_graph<double>(data, 2, 0.1, 1);
    CHECK(only.columns == std::vector<std::int32_t>{0, 1, 0, 1, 1, 2});
    CHECK(only.values == std::vector<double>(6, one));
    std::swap(data.visual, data.textual);
    CHECK(frozen_item_graph<double>(data, 2, 0.1, 1).columns == only.columns);

    const TemporaryDirectory directory;
    data.cache_folder = directory.path().string();
    for (int again = 0; again < 2; ++again)
        CHECK(frozen_item_graph<double>(data, 2, 0.1, 1).columns == only.columns);
    CHECK(!std::filesystem::is_empty(directory.path()));
}
