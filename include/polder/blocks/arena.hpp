/// Named matrices in one allocation, for new programs. A pass of the optimizer then reads memory from begin to end,
/// without gaps.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/blocks/block_shape.hpp>
#include <polder/blocks/cache_line_allocator.hpp>
#include <polder/blocks/memory_space.hpp>
#include <polder/error.hpp>

namespace polder {

/// A view of a row-major matrix in memory that belongs to somebody else. T may be const.
template <class T>
struct MatrixView {
    T* data = nullptr;
    std::size_t rows = 0;
    std::size_t cols = 0;

    constexpr std::size_t size() const noexcept { return rows * cols; }
    constexpr T& operator()(std::size_t row, std::size_t col) const noexcept {
        return data[row * cols + col];
    }
    constexpr operator MatrixView<T const>() const noexcept requires(!std::is_const_v<T>) {
        return {data, rows, cols};
    }
};

/// All parameters of a model as named row-major matrices, one after the other without padding, from the
/// start of a cache line.
/// A copy has the same layout and its own memory, so a gradient is a copy of the parameters' arena.
/// Storage: the type that holds the values. With DeviceArena they lie in a device's memory, and views point there.
template <class T, class Storage = std::vector<T, CacheLineAllocator<T>>>
class ParameterArena {
public:
    using value_type = T;
    using memory_space = typename MemorySpace<Storage>::type;

    static constexpr bool is_on_host = std::is_same_v<memory_space, HostMemory>;

    /// Where one matrix lies: coordinates [offset, offset + rows * cols).
    struct Entry {
        std::string name;
        std::size_t offset;
        std::size_t rows;
        std::size_t cols;

        friend bool operator==(Entry const&, Entry const&) = default;
    };

    ParameterArena() = default;
    /// A copy of an arena whose values lie in memory of another kind; one of both kinds is the host's. Waits for the
    /// device.
    template <class OtherStorage>
    explicit ParameterArena(ParameterArena<T, OtherStorage> const& other) {
        using Other = ParameterArena<T, OtherStorage>;
        static_assert(is_on_host != Other::is_on_host);
        for (auto const& [name, offset, rows, cols] : other.entries()) {
            entries_.push_back({name, offset, rows, cols});
        }
        values_.resize(other.size());
        copy_values(other);
    }

    /// Copies the values of an arena of the same layout in another kind of memory, as above.
    template <class OtherStorage>
    void copy_values(ParameterArena<T, OtherStorage> const& other) {
        if constexpr (is_on_host) {
            Access<typename ParameterArena<T, OtherStorage>::memory_space>::read(
                data(), other.data(), size() * sizeof(T));
        } else {
            Access<memory_space>::write(data(), other.data(), size() * sizeof(T));
        }
    }

    /// Appends a matrix of zeros and returns it. Views made before are invalid afterwards.
    /// Throws std::invalid_argument for an empty or known name and for a size that overflows.
    MatrixView<T> add(std::string name, std::size_t rows, std::size_t cols) {
        if (name.empty()) POLDER_THROW std::invalid_argument("polder: a parameter needs a name");
        if (find(name) != nullptr) {
            POLDER_THROW std::invalid_argument("polder: parameter '" + name +
                                               "' is in the arena already");
        }
        std::size_t const room = values_.max_size() - values_.size();
        if (cols != 0 && rows > room / cols) {
            POLDER_THROW std::invalid_argument("polder: parameter '" + name + "' of " +
                                               std::to_string(rows) + " x " + std::to_string(cols) +
                                               " does not fit into memory");
        }
        entries_.push_back({std::move(name), values_.size(), rows, cols});
        POLDER_TRY { values_.resize(values_.size() + rows * cols); }
        POLDER_CATCH_ALL {
            entries_.pop_back();
            POLDER_RETHROW;
        }
        return view(entries_.back());
    }

    /// The matrix of that name. Throws std::out_of_range that lists the known names.
    MatrixView<T> operator[](std::string_view name) { return view(at(name)); }
    MatrixView<T const> operator[](std::string_view name) const { return view(at(name)); }

    /// The matrix of an entry of this arena (or of one with the same layout).
    MatrixView<T> view(Entry const& entry) noexcept {
        return {values_.data() + entry.offset, entry.rows, entry.cols};
    }
    MatrixView<T const> view(Entry const& entry) const noexcept {
        return {values_.data() + entry.offset, entry.rows, entry.cols};
    }

    bool contains(std::string_view name) const noexcept { return find(name) != nullptr; }
    std::vector<Entry> const& entries() const noexcept { return entries_; }

    /// Calls f(name, pointer, size, shape) for each matrix, in the order in which they were added.
    template <class F>
    void visit_blocks(F&& f) {
        for (Entry const& entry : entries_) {
            f(entry.name, values_.data() + entry.offset, entry.rows * entry.cols,
              BlockShape{entry.rows, entry.cols, true});
        }
    }

    T* data() noexcept { return values_.data(); }
    T const* data() const noexcept { return values_.data(); }
    std::size_t size() const noexcept { return values_.size(); }
    auto begin() noexcept requires is_on_host { return values_.begin(); }
    auto end() noexcept requires is_on_host { return values_.end(); }
    auto begin() const noexcept requires is_on_host { return values_.begin(); }
    auto end() const noexcept requires is_on_host { return values_.end(); }

private:
    Entry const* find(std::string_view name) const noexcept {
        for (Entry const& entry : entries_) {
            if (entry.name == name) return &entry;
        }
        return nullptr;
    }

    Entry const& at(std::string_view name) const {
        if (Entry const* entry = find(name)) return *entry;
        std::string message = "polder: unknown parameter '" + std::string(name) + "'; known:";
        for (Entry const& entry : entries_) message += " '" + entry.name + "'";
        POLDER_THROW std::out_of_range(message);
    }

    std::vector<Entry> entries_;
    Storage values_;
};

}  // namespace polder
