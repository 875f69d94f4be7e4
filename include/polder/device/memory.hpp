/// Memory of a device: arrays of it, and what an optimizer keeps there.
///
/// A device is described by a System, which says how memory is had there and how a pass is run:
///
///     static void* allocate(std::size_t bytes);              throws std::bad_alloc
///     static void deallocate(void* memory) noexcept;
///     static void read(void* host, void const* at, std::size_t bytes);   waits for the device
///     static void write(void* at, void const* host, std::size_t bytes);  waits for the device
///     void put(void* at, void const* host, std::size_t bytes);  in the order of passes, waits for nothing
///     void send(void* at, void const* host, std::size_t bytes); the same for much, not while capturing
///     void set_stream(void* stream);
///     bool capturing() const;                                whether passes are recorded and not run
///     template <class Body, class Tail>
///     void run(std::size_t tasks, Body const& body, Tail const& tail, unsigned* ticket);
///
/// run() calls body(team, first, step, tasks) in as many teams of threads as it likes, each to see to the tasks first,
/// first + step, ..., and when all of them have ended tail(team) in one. Systems: device/thrust_system.hpp,
/// device/cuda_system.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/blocks/memory_space.hpp>
#include <polder/config.hpp>

namespace polder {

/// The memory of a System.
template <class System>
struct MemoryOn {};

/// Contiguous memory of a device, zeros at first. A copy has its own. What the members read and write they wait for.
template <class T, class System>
class DeviceArray {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    using value_type = T;
    using memory_space = MemoryOn<System>;
    static constexpr bool is_contiguous_block = true;

    DeviceArray() = default;
    explicit DeviceArray(std::size_t size, T value = {}) { assign(size, value); }
    explicit DeviceArray(std::vector<T> const& values) { assign(values); }
    DeviceArray(DeviceArray const& other) { assign(other.to_host()); }
    DeviceArray(DeviceArray&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    DeviceArray& operator=(DeviceArray other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~DeviceArray() { System::deallocate(data_); }

    T* data() noexcept { return data_; }
    T const* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    std::size_t max_size() const noexcept { return static_cast<std::size_t>(-1) / sizeof(T) / 2; }

    void assign(std::size_t size, T value) { assign(std::vector<T>(size, value)); }
    void assign(std::vector<T> const& values) {
        if (values.size() != size_) *this = DeviceArray(values.size(), Uninitialised{});
        if (size_ > 0) System::write(data_, values.data(), size_ * sizeof(T));
    }
    /// Keeps the values there are, zeros after them.
    void resize(std::size_t size) {
        if (size == size_) return;
        std::vector<T> values = to_host();
        values.resize(size);
        assign(values);
    }
    std::vector<T> to_host() const {
        std::vector<T> values(size_);
        if (size_ > 0) System::read(values.data(), data_, size_ * sizeof(T));
        return values;
    }

private:
    struct Uninitialised {};
    DeviceArray(std::size_t size, Uninitialised) {
        if (size > 0) data_ = static_cast<T*>(System::allocate(size * sizeof(T)));
        size_ = size;
    }

    T* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Contiguous memory of a device in somebody else's hands.
template <class T, class System>
class DeviceSpan {
public:
    using memory_space = MemoryOn<System>;
    static constexpr bool is_contiguous_block = true;
    static constexpr bool is_view = true;

    DeviceSpan(T* data, std::size_t size) : data_(data), size_(size) {}
    T* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }

private:
    T* data_;
    std::size_t size_;
};

template <class System>
struct Access<MemoryOn<System>> {
    template <class T>
    using Storage = DeviceArray<T, System>;
    static void read(void* host, void const* at, std::size_t bytes) {
        if (bytes > 0) System::read(host, at, bytes);
    }
    static void write(void* at, void const* host, std::size_t bytes) {
        if (bytes > 0) System::write(at, host, bytes);
    }
};

namespace detail {

// As HostTable. What the host has written is put in the order of passes.
template <class T, class System>
class DeviceTable {
public:
    std::vector<T> values;
    T const* at() const noexcept { return device_.data(); }
    T* at() noexcept { return device_.data(); }

    void refresh(System& system) {
        if (values == there_) return;
        if (values.size() != device_.size()) {
            device_.assign(values);
        } else {
            system.put(device_.data(), values.data(), values.size() * sizeof(T));
        }
        there_ = values;
    }
    // Passes write these themselves: what they will have written, and what they have.
    void expect(std::span<T const> written) {
        values.assign(written.begin(), written.end());
        there_.assign(written.begin(), written.end());
    }
    void read() {
        if (device_.size() == values.size() && !values.empty()) values = there_ = device_.to_host();
    }

private:
    std::vector<T> there_;
    DeviceArray<T, System> device_;
};

// One of two arrays, as a word on the device says.
template <class T>
struct Turning {
    T* arrays[2];
    unsigned const* turn;
    unsigned next;  // 0: the one whose turn it is; 1: the other

    POLDER_HOST_DEVICE T* locate(std::size_t, std::size_t, std::size_t coordinate) const {
        return arrays[turn == nullptr ? 0 : (*turn ^ next) & 1] + coordinate;
    }
};

// As HostSuccession. The last pass of a step decides on the device whether the next values take their turn.
template <class T, class System>
class DeviceSuccession {
public:
    void assign(std::size_t size, T value) { arrays_[0].assign(size, value); }
    void assign_next() {
        arrays_[1] = arrays_[0];
        turn_.assign(1, 0);
    }
    void set(std::vector<T> const& values) { arrays_[which()].assign(values); }

    Turning<T> now() noexcept { return view(0); }
    Turning<T> next() noexcept { return view(1); }
    unsigned* turn() noexcept { return turn_.data(); }
    void succeed() noexcept {}  // see turn()

    // The values on the host, where they may be written to; give_back() ends that.
    std::vector<T>& array() {
        if (!lent_) on_host_ = arrays_[which()].to_host();
        lent_ = true;
        return on_host_;
    }
    void give_back() {
        if (!lent_) return;
        arrays_[which()].assign(on_host_);
        on_host_ = {};
        lent_ = false;
    }

private:
    Turning<T> view(unsigned next) noexcept {
        return {{arrays_[0].data(), arrays_[1].data()}, turn_.data(), next};
    }
    unsigned which() const { return turn_.size() == 0 ? 0 : turn_.to_host()[0] & 1; }

    DeviceArray<T, System> arrays_[2];
    DeviceArray<unsigned, System> turn_;
    std::vector<T> on_host_;
    bool lent_ = false;
};

}  // namespace detail

}  // namespace polder
