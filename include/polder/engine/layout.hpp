/// How N coordinates in blocks are cut into chunks of fixed size.
///
/// Coordinates are counted through all blocks, in order. A chunk is a range of that count, whatever
/// the blocks are: so partial sums, and with them every result, do not depend on how the parameters
/// are cut into blocks, nor on the number of threads that share the chunks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace polder {

class Layout {
public:
    /// Coordinates in a chunk: small enough for the arrays of a pass to stay in the second-level
    /// cache, large enough for the work to hide the cost of a chunk.
    static constexpr std::size_t chunk_size = 16384;

    Layout() = default;

    /// Blocks of the given numbers of coordinates.
    explicit Layout(std::vector<std::size_t> block_sizes)
        : sizes_(std::move(block_sizes)), frozen_(sizes_.size(), 0) {
        for (std::size_t size : sizes_) size_ += size;
        std::size_t block = 0;
        std::size_t begin = 0;  // of `block`
        for (std::size_t first = 0; first < size_; first += chunk_size) {
            while (begin + sizes_[block] <= first) begin += sizes_[block++];
            starts_.push_back({block, first - begin});
        }
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
    template <bool of_frozen = false, class F>
    void for_each_piece(std::size_t chunk, F&& f) const {
        std::size_t coordinate = chunk * chunk_size;
        const std::size_t end = std::min(coordinate + chunk_size, size_);
        auto [block, within] = starts_[chunk];
        for (; coordinate < end; ++block, within = 0) {
            const std::size_t length = std::min(sizes_[block] - within, end - coordinate);
            if (length > 0 && frozen(block) == of_frozen) f(block, within, coordinate, length);
            coordinate += length;
        }
    }

private:
    struct Start {
        std::size_t block;
        std::size_t within;
    };

    std::vector<std::size_t> sizes_;
    std::vector<char> frozen_;   // of each block
    std::vector<Start> starts_;  // of each chunk
    std::size_t size_ = 0;
};

/// One array of N scalars that lies in the blocks of a container: a pointer per block.
template <class T>
struct Blocked {
    T* const* blocks;
    constexpr T* locate(std::size_t block, std::size_t within, std::size_t) const noexcept {
        return blocks[block] + within;
    }
};

/// One array of N scalars without gaps, counted through all blocks.
template <class T>
struct Flat {
    T* data;
    constexpr T* locate(std::size_t, std::size_t, std::size_t coordinate) const noexcept {
        return data + coordinate;
    }
};

}  // namespace polder
