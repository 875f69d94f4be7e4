#include "recsys/models/graph_cache.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <polder/state/file.hpp>
#include <polder/state/safetensors.hpp>

#include "recsys/models/item_graph.hpp"

namespace polder::recsys {

namespace {

namespace fs = std::filesystem;

// Hash of all bytes of x, 16 hexadecimal digits. Every word goes through the mixing of splitmix64: in FNV-1a
// over words two changed signs may cancel.
template <class T>
std::string hash_of(MatrixView<T const> x) {
    std::uint64_t hash = 0;
    const std::size_t bytes = x.size() * sizeof(T);
    for (std::size_t at = 0; at < bytes; at += sizeof(std::uint64_t)) {
        std::uint64_t word = 0;
        std::memcpy(&word, reinterpret_cast<char const*>(x.data) + at,
                    std::min(sizeof word, bytes - at));
        hash = (hash ^ word) + 0x9e3779b97f4a7c15;
        hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
        hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
        hash ^= hash >> 31;
    }
    std::string digits;
    for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[hash >> shift & 15];
    return digits;
}

// The graph in `file`, or none where it is not a sound one of that size.
template <class T>
std::optional<Csr<T>> read(fs::path const& file, std::size_t n, std::size_t k) {
    std::error_code error;
    if (!fs::exists(file, error)) return {};
    Csr<T> graph{n, n, {}, std::vector<std::int32_t>(n * k), std::vector<T>(n * k)};
    try {
        SafetensorsFile from(file);
        from.verify();
        from.read("items", {n, k}, graph.columns);
        from.read("cosines", {n, k}, graph.values);
    } catch (FileError const&) {
        return {};
    }
    for (std::size_t row = 0; row < n; ++row) {
        auto const begin = graph.columns.begin() + static_cast<std::ptrdiff_t>(row * k);
        auto const end = begin + static_cast<std::ptrdiff_t>(k);
        const bool is_ascending = std::adjacent_find(begin, end, std::greater_equal{}) == end;
        if (!is_ascending || *begin < 0 || static_cast<std::size_t>(*(end - 1)) >= n) return {};
        graph.offsets.push_back(row * k);
    }
    graph.offsets.push_back(n * k);
    return graph;
}

}  // namespace

template <class T>
Csr<T> cached_neighbours(fs::path const& folder, MatrixView<T const> x, int k, int threads) {
    if (k < 1 || static_cast<std::size_t>(k) > x.rows) return nearest_neighbours(x, k, threads);
    auto const per_item = static_cast<std::size_t>(k);
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) throw FileError(folder, "cannot be made a directory: " + error.message());
    const fs::path file = folder / ("neighbours-float" + std::to_string(8 * sizeof(T)) + "-" +
                                    std::to_string(x.rows) + "x" + std::to_string(x.cols) + "-k" +
                                    std::to_string(k) + "-" + hash_of(x) + ".safetensors");
    if (auto kept = read<T>(file, x.rows, per_item)) return *std::move(kept);

    auto graph = nearest_neighbours(x, k, threads);
    SafetensorsWriter to;
    to.add("items", {x.rows, per_item}, graph.columns);
    to.add("cosines", {x.rows, per_item}, graph.values);
    try {
        to.write(file);
    } catch (FileError const&) {
        // Another process may have written the same file at the same time.
        if (!read<T>(file, x.rows, per_item)) throw;
    }
    return graph;
}

template Csr<float> cached_neighbours(fs::path const&, MatrixView<float const>, int, int);
template Csr<double> cached_neighbours(fs::path const&, MatrixView<double const>, int, int);

}  // namespace polder::recsys
