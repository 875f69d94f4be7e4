/// How N coordinates in blocks are cut into chunks of fixed size.
///
/// Coordinates are counted through all blocks, in order. A chunk is a range of that count and does not
/// depend on the blocks. So partial sums, and with them all results, do not depend on how the parameters
/// are cut into blocks, nor on the number of threads that share the chunks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <polder/config.hpp>
#include <polder/engine/function_ref.hpp>

namespace polder {

namespace detail {

// Where a chunk begins: at position `within` of a block.
struct ChunkStart {
    std::size_t block;
    std::size_t within;
};

POLDER_COLD inline std::vector<ChunkStart> chunk_starts(std::vector<std::size_t> const& block_sizes,
                                                        std::size_t size, std::size_t chunk_size) {
    std::vector<ChunkStart> starts((size + chunk_size - 1) / chunk_size);
    std::size_t block = 0;
    std::size_t begin = 0;  // of `block`
    for (std::size_t first = 0; first < size; first += chunk_size) {
        while (begin + block_sizes[block] <= first) begin += block_sizes[block++];
        starts[first / chunk_size] = {block, first - begin};
    }
    return starts;
}

// f(block, within, coordinate, length): see Layout::for_each_piece.
using PieceFunction = FunctionRef<void(std::size_t, std::size_t, std::size_t, std::size_t)>;

// A layout as passes see it.
struct LayoutView {
    std::size_t const* sizes;  // of the blocks
    char const* frozen;        // each of them
    ChunkStart const* starts;  // of the chunks
    std::size_t size;          // coordinates in all
    std::size_t chunk_size;

    // See Layout::for_each_piece.
    template <bool of_frozen = false, class F>
    POLDER_HOST_DEVICE constexpr void for_each_piece(std::size_t chunk, F const& f) const {
        std::size_t coordinate = chunk * chunk_size;
        std::size_t const last = coordinate + chunk_size;
        std::size_t const end = last < size ? last : size;
        auto [block, within] = starts[chunk];
        for (; coordinate < end; ++block, within = 0) {
            std::size_t const rest = sizes[block] - within;
            std::size_t const length = rest < end - coordinate ? rest : end - coordinate;
            if (length > 0 && (frozen[block] != 0) == of_frozen) {
                f(block, within, coordinate, length);
            }
            coordinate += length;
        }
    }
};

}  // namespace detail

class Layout {
public:
    /// Coordinates in a chunk. The arrays of a chunk fit into the second-level cache, and the work
    /// on a chunk takes much longer than its start.
    static constexpr std::size_t chunk_size = 16384;

    Layout() = default;

    /// Blocks of the given numbers of coordinates.
    POLDER_COLD explicit Layout(std::vector<std::size_t> block_sizes)
        : sizes_(std::move(block_sizes)), frozen_(sizes_.size(), 0) {
        for (std::size_t size : sizes_) size_ += size;
        starts_ = detail::chunk_starts(sizes_, size_, chunk_size);
    }

    std::size_t size() const noexcept { return size_; }
    std::size_t blocks() const noexcept { return sizes_.size(); }
    std::size_t chunks() const noexcept { return starts_.size(); }
    std::vector<std::size_t> const& block_sizes() const noexcept { return sizes_; }

    /// Whether the passes leave a block out.
    bool frozen(std::size_t block) const noexcept { return frozen_[block] != 0; }
    void set_frozen(std::size_t block, bool frozen) noexcept { frozen_[block] = frozen ? 1 : 0; }
    bool any_frozen() const noexcept {
        return std::find(frozen_.begin(), frozen_.end(), 1) != frozen_.end();
    }

    /// Coordinates in blocks that are not frozen.
    std::size_t live_size() const noexcept {
        std::size_t live = 0;
        for (std::size_t block = 0; block < sizes_.size(); ++block) {
            if (!frozen(block)) live += sizes_[block];
        }
        return live;
    }

    /// Calls f(block, within, coordinate, length) for each contiguous piece of a chunk that is not frozen
    /// (or, with of_frozen, for the others), in order: `length` coordinates from position `within` of
    /// `block`, the first of which is `coordinate`.
    template <bool of_frozen = false>
    POLDER_APART void for_each_piece(std::size_t chunk, detail::PieceFunction f) const {
        detail::LayoutView const view{sizes_.data(), frozen_.data(), starts_.data(), size_,
                                      chunk_size};
        view.for_each_piece<of_frozen>(chunk, f);
    }

    std::vector<char> const& frozen_flags() const noexcept { return frozen_; }

private:
    std::vector<std::size_t> sizes_;
    std::vector<char> frozen_;                // of each block
    std::vector<detail::ChunkStart> starts_;  // of each chunk
    std::size_t size_ = 0;
};

}  // namespace polder
