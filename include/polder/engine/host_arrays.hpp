/// Arrays of one value per coordinate in the host's memory, by the ids of their handles.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include <polder/blocks/cache_line_allocator.hpp>
#include <polder/config.hpp>

namespace polder::detail {

// An array is a table of where it begins in each block. So an array may lie in the blocks of a user's container or in
// contiguous memory of its own, and two arrays change places by swapping their tables. The type of the values is not known here,
// but their width in bytes: 4 (float), 8 (double) or 1 (a mask's). So this is compiled once.
class HostArrays {
public:
    HostArrays() = default;
    POLDER_COLD HostArrays(std::size_t width, std::size_t arrays,
                           std::vector<std::size_t> const& sizes)
        : width_(width), begins_(sizes.size()), arrays_(arrays), places_(arrays * sizes.size()) {
        for (std::size_t block = 0; block < sizes.size(); ++block) {
            begins_[block] = size_;
            size_ += sizes[block];
        }
        for (std::size_t id = 0; id < arrays; ++id) arrays_[id].table = id * sizes.size();
    }
    POLDER_COLD HostArrays(HostArrays const& other)
        : width_(other.width_), size_(other.size_), begins_(other.begins_),
          arrays_(other.arrays_.size()), places_(other.places_) {
        for (std::size_t id = 0; id < arrays_.size(); ++id) {
            Array const& from = other.arrays_[id];
            arrays_[id].table = from.table;
            if (from.memory == nullptr) continue;
            std::memcpy(allocate(id), from.memory.get(), size_ * width_);
            point_to_own(id);
        }
    }
    HostArrays(HostArrays&&) noexcept = default;
    HostArrays& operator=(HostArrays&&) noexcept = default;
    HostArrays& operator=(HostArrays const& other) { return *this = HostArrays(other); }
    ~HostArrays() = default;

    // Gives an array memory of its own.
    POLDER_COLD void own(int id, double initial) {
        auto const k = static_cast<std::size_t>(id);
        void* const values = allocate(k);
        if (width_ == sizeof(float))
            std::fill_n(static_cast<float*>(values), size_, static_cast<float>(initial));
        else if (width_ == sizeof(double))
            std::fill_n(static_cast<double*>(values), size_, initial);
        else
            std::memset(values, static_cast<int>(initial), size_);
        point_to_own(k);
    }
    bool owns(int id) const { return arrays_[static_cast<std::size_t>(id)].memory != nullptr; }

    // Copies an array that lies in a user's container to memory of its own.
    POLDER_APART void copy_to_own(int id) {
        auto const k = static_cast<std::size_t>(id);
        auto* const memory = static_cast<std::byte*>(allocate(k));
        for (std::size_t block = 0; block < begins_.size(); ++block) {
            void* const from = places_[arrays_[k].table + block];
            if (from == nullptr) continue;  // a block that is left alone
            std::size_t const end = block + 1 < begins_.size() ? begins_[block + 1] : size_;
            std::memcpy(memory + begins_[block] * width_, from, (end - begins_[block]) * width_);
        }
        point_to_own(k);
    }

    // Where the array begins in each block, for the caller to fill.
    std::span<void*> table(int id) { return {places_.data() + at(id).table, begins_.size()}; }
    void* const* operator[](int id) const { return places_.data() + at(id).table; }

    void swap(int a, int b) { std::swap(at(a), at(b)); }
    // The values of an array that has memory of its own.
    void* values(int id) { return at(id).memory.get(); }
    std::size_t size() const { return size_; }
    std::size_t width() const { return width_; }
    // Of a coordinate of a block.
    void* address(int id, std::size_t block, std::size_t within) const {
        return static_cast<std::byte*>((*this)[id][block]) + within * width_;
    }

private:
    struct Free {
        void operator()(void* memory) const noexcept {
            CacheLineAllocator<std::byte>().deallocate(static_cast<std::byte*>(memory), 0);
        }
    };
    struct Array {
        std::unique_ptr<void, Free> memory;  // of its own, or nullptr
        std::size_t table = 0;               // where its table begins in places_
    };

    Array& at(int id) { return arrays_[static_cast<std::size_t>(id)]; }
    Array const& at(int id) const { return arrays_[static_cast<std::size_t>(id)]; }

    void* allocate(std::size_t id) {
        auto& memory = arrays_[id].memory;
        if (memory == nullptr)
            memory.reset(CacheLineAllocator<std::byte>().allocate(size_ * width_));
        return memory.get();
    }
    void point_to_own(std::size_t id) {
        auto* const memory = static_cast<std::byte*>(arrays_[id].memory.get());
        for (std::size_t block = 0; block < begins_.size(); ++block) {
            places_[arrays_[id].table + block] = memory + begins_[block] * width_;
        }
    }

    std::size_t width_ = 0;
    std::size_t size_ = 0;
    std::vector<std::size_t> begins_;  // of the blocks
    std::vector<Array> arrays_;
    std::vector<void*> places_;  // the tables
};

}  // namespace polder::detail
