/// Memory of a device: arrays of it, and what an optimizer keeps there.
///
/// A System describes a device: how memory is allocated there, and how a pass runs.
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
/// run() calls body(team, first, step, tasks) in several teams of threads. Each team does the tasks first, first + step, ...
/// When all teams have ended, one team runs tail(team). Systems: device/thrust_system.hpp, device/cuda_system.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
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

/// Contiguous memory of a device, zeros at first. A copy has memory of its own. Members that read or write values wait for the
/// device.
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

/// Contiguous memory of a device that belongs to somebody else.
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

// A table that the host writes and passes read. refresh() sends it to the device, in the order of passes, if it has changed.
template <class T, class System>
class DeviceTable {
public:
    DeviceTable() = default;
    DeviceTable(DeviceTable const&) = default;
    DeviceTable(DeviceTable&&) noexcept = default;
    DeviceTable& operator=(DeviceTable const&) = default;
    DeviceTable& operator=(DeviceTable&&) noexcept = default;

    std::vector<T> values;
    T const* at() const noexcept { return device_.data(); }
    T* at() noexcept { return device_.data(); }

    void refresh(System& system) {
        if (values == there_) return;
        if (outgrown()) {
            replace();
            device_.assign(values);
        } else {
            system.put(device_.data(), values.data(), values.size() * sizeof(T));
        }
        there_ = values;
    }
    // For values that passes write, too: expect() says what they will have written, read() reads what they have.
    void expect(std::span<T const> written) {
        values.assign(written.begin(), written.end());
        there_.assign(written.begin(), written.end());
    }
    void read() {
        if (there_.size() != values.size() || values.empty()) return;
        there_ = device_.to_host();
        there_.resize(values.size());
        values = there_;
    }
    // Whether refresh() needs a larger table.
    bool outgrown() const noexcept { return values.size() > device_.size(); }
    // The next refresh() makes a new table. This one stays, since a graph that was captured may still read it.
    void replace() {
        if (device_.size() > 0) former_.push_back(std::move(device_));
        there_.clear();
    }

private:
    std::vector<T> there_;
    DeviceArray<T, System> device_;
    std::vector<DeviceArray<T, System>> former_;
};

// Where an array begins in each block. There are two tables, and a word on the device says which of them holds.
template <class U>
struct TurningBegins {
    U* const* tables[2];
    unsigned const* turn;  // nullptr: always the first
    unsigned next;         // 0: the table whose turn it is; 1: the other

    POLDER_INLINE U* operator()(std::size_t block) const {
        return tables[turn == nullptr ? 0 : (*turn ^ next) & 1][block];
    }
};

// Arrays of one value per coordinate in a device's memory, by the ids of their handles: as HostArrays. A word on the device
// says which of the two arrays of a succession holds the values so far. The last pass of a step flips it.
template <class T, class System>
class DeviceArrays {
public:
    using Table = DeviceTable<T*, System>;

    DeviceArrays() = default;
    DeviceArrays(std::size_t arrays, std::vector<std::size_t> const& sizes)
        : memory_(arrays), tables_(arrays), pair_(arrays) {
        for (std::size_t size : sizes) {
            begins_.push_back(size_);
            size_ += size;
        }
        for (auto& table : tables_) table.values.resize(sizes.size());
    }
    DeviceArrays(DeviceArrays const& other)
        : begins_(other.begins_), size_(other.size_), memory_(other.memory_),
          tables_(other.tables_), turns_(other.turns_), pair_(other.pair_) {
        for (std::size_t id = 0; id < tables_.size(); ++id) {
            if (owns(static_cast<int>(id))) point_to_own(id);
        }
    }
    DeviceArrays(DeviceArrays&&) noexcept = default;
    DeviceArrays& operator=(DeviceArrays&&) noexcept = default;
    DeviceArrays& operator=(DeviceArrays const& other) { return *this = DeviceArrays(other); }

    void own(int id, T initial) {
        auto const k = static_cast<std::size_t>(id);
        memory_[k].assign(size_, initial);
        point_to_own(k);
    }
    bool owns(int id) const { return memory_[static_cast<std::size_t>(id)].size() > 0; }
    // Makes two arrays a succession.
    void pair(int now, int next) {
        pair_[static_cast<std::size_t>(now)] = {next, pairs_, 0};
        pair_[static_cast<std::size_t>(next)] = {now, pairs_++, 1};
        turns_.resize(static_cast<std::size_t>(pairs_));
    }

    Table& table(int id) { return tables_[static_cast<std::size_t>(id)]; }
    void swap(int a, int b) {
        std::swap(tables_[static_cast<std::size_t>(a)], tables_[static_cast<std::size_t>(b)]);
    }
    void point_to_own(int id) { point_to_own(static_cast<std::size_t>(id)); }
    void refresh(System& system) {
        for (auto& table : tables_) table.refresh(system);
    }

    TurningBegins<T> operator[](int id) {
        auto const k = static_cast<std::size_t>(id);
        Pair const& pair = pair_[k];
        if (pair.other < 0) return {{tables_[k].at(), nullptr}, nullptr, 0};
        T* const* const mine = tables_[k].at();
        T* const* const others = tables_[static_cast<std::size_t>(pair.other)].at();
        return {{pair.side == 0 ? mine : others, pair.side == 0 ? others : mine},
                turns_.data() + pair.turn,
                pair.side};
    }
    unsigned* turn(int id) { return turns_.data() + pair_[static_cast<std::size_t>(id)].turn; }

    // A copy of the values on the host, which may be written to. write_back() sends it to the device.
    std::span<T> values(int id) {
        auto& copy = on_host_[id];
        if (copy.empty()) copy = memory_[holder(id)].to_host();
        return copy;
    }
    void write_back() {
        for (auto const& [id, values] : on_host_) memory_[holder(id)].assign(values);
        on_host_.clear();
    }

private:
    struct Pair {
        int other = -1;
        int turn = 0;
        unsigned side = 0;
    };

    void point_to_own(std::size_t id) {
        for (std::size_t block = 0; block < begins_.size(); ++block) {
            tables_[id].values[block] = memory_[id].data() + begins_[block];
        }
    }
    // Whose memory holds the values that are `id`'s now.
    std::size_t holder(int id) const {
        Pair const& pair = pair_[static_cast<std::size_t>(id)];
        if (pair.other < 0) return static_cast<std::size_t>(id);
        bool const turned = turns_.to_host()[static_cast<std::size_t>(pair.turn)] & 1;
        return static_cast<std::size_t>(turned ? pair.other : id);
    }

    std::vector<std::size_t> begins_;
    std::size_t size_ = 0;
    std::vector<DeviceArray<T, System>> memory_;
    std::vector<Table> tables_;
    DeviceArray<unsigned, System> turns_;
    std::vector<Pair> pair_;
    int pairs_ = 0;
    std::map<int, std::vector<T>> on_host_;
};

}  // namespace detail

}  // namespace polder
