/// Arrays of one value per coordinate in the host's memory, by the ids of their handles.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <polder/blocks/cache_line_allocator.hpp>

namespace polder::detail {

// An array is a table of where it begins in each block. So an array may lie in the blocks of a user's container or in
// contiguous memory of its own, and two arrays change places by swapping their tables.
template <class T>
class HostArrays {
public:
    using Table = std::vector<T*>;

    HostArrays() = default;
    HostArrays(std::size_t arrays, std::vector<std::size_t> const& sizes)
        : memory_(arrays), memory_of_(arrays, none), tables_(arrays, Table(sizes.size())) {
        for (std::size_t size : sizes) {
            begins_.push_back(size_);
            size_ += size;
        }
    }
    HostArrays(HostArrays const& other)
        : begins_(other.begins_), size_(other.size_), memory_(other.memory_),
          memory_of_(other.memory_of_), tables_(other.tables_) {
        for (std::size_t id = 0; id < tables_.size(); ++id) {
            if (memory_of_[id] != none) point_to(id, memory_of_[id]);
        }
    }
    HostArrays(HostArrays&&) noexcept = default;
    HostArrays& operator=(HostArrays&&) noexcept = default;
    HostArrays& operator=(HostArrays const& other) { return *this = HostArrays(other); }

    // Gives an array memory of its own.
    void own(int id, T initial) {
        auto const k = static_cast<std::size_t>(id);
        memory_[k].assign(size_, initial);
        memory_of_[k] = k;
        point_to(k, k);
    }
    bool owns(int id) const { return !memory_[static_cast<std::size_t>(id)].empty() || size_ == 0; }

    // Copies an array that lies in a user's container to memory of its own.
    void copy_to_own(int id) {
        auto const k = static_cast<std::size_t>(id);
        memory_[k].resize(size_);
        for (std::size_t block = 0; block < begins_.size(); ++block) {
            if (tables_[k][block] == nullptr) continue;  // a block that is left alone
            std::size_t const end = block + 1 < begins_.size() ? begins_[block + 1] : size_;
            std::copy_n(tables_[k][block], end - begins_[block],
                        memory_[k].data() + begins_[block]);
        }
        memory_of_[k] = k;
        point_to(k, k);
    }

    // Where the array begins in each block, for the caller to fill.
    Table& table(int id) { return tables_[static_cast<std::size_t>(id)]; }
    T* const* operator[](int id) const { return tables_[static_cast<std::size_t>(id)].data(); }

    void swap(int a, int b) {
        std::swap(tables_[static_cast<std::size_t>(a)], tables_[static_cast<std::size_t>(b)]);
        std::swap(memory_of_[static_cast<std::size_t>(a)], memory_of_[static_cast<std::size_t>(b)]);
    }
    // The values of an array that has memory of its own.
    std::span<T> values(int id) {
        return std::span(memory_[memory_of_[static_cast<std::size_t>(id)]]);
    }

private:
    static constexpr std::size_t none = static_cast<std::size_t>(-1);

    void point_to(std::size_t id, std::size_t memory) {
        for (std::size_t block = 0; block < begins_.size(); ++block) {
            tables_[id][block] = memory_[memory].data() + begins_[block];
        }
    }

    std::vector<std::size_t> begins_;  // of the blocks
    std::size_t size_ = 0;
    std::vector<std::vector<T, CacheLineAllocator<T>>> memory_;
    std::vector<std::size_t> memory_of_;  // for each array the index of its memory, or none
    std::vector<Table> tables_;
};

}  // namespace polder::detail
