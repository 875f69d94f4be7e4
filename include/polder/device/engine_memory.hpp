/// What an optimizer keeps in a device's memory, by the handles of a plan.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <polder/device/memory.hpp>
#include <polder/device/passes.hpp>
#include <polder/device/step.hpp>
#include <polder/engine/column.hpp>
#include <polder/engine/layout.hpp>
#include <polder/engine/step_data.hpp>
#include <polder/run/handles.hpp>

namespace polder {

/// As CpuMemory, on a System (device/memory.hpp).
template <class T, class System>
class DeviceMemoryOf {
public:
    /// Coordinates in a chunk, which is the work of a team at a time. Few, so that small models keep many teams busy.
    static constexpr std::size_t chunk_size = 2048;

    DeviceMemoryOf() = default;
    DeviceMemoryOf(detail::Blocks blocks, std::shared_ptr<Plan const> of)
        : layout_(blocks.sizes), blocks_(std::move(blocks)), plan_(std::move(of)),
          arrays_(static_cast<std::size_t>(plan().arrays() + plan().gradients() + 1),
                  blocks_.sizes),
          masks_(static_cast<std::size_t>(plan().masks()), blocks_.sizes) {
        auto const& sizes = layout_.block_sizes();
        auto starts = detail::chunk_starts(sizes, layout_.size(), chunk_size);
        chunks_ = starts.size();
        starts_.assign(starts);
        sizes_.assign(sizes);
        ticket_.assign(1, 0);
        for (auto const& lasting : plan().lasting()) {
            arrays_.own(lasting.now.id, static_cast<T>(lasting.initial));
            if (lasting.next.id < 0) continue;
            arrays_.own(lasting.next.id, static_cast<T>(lasting.initial));
            arrays_.pair(lasting.now.id, lasting.next.id);
        }
        for (ArrayId a : plan().scratch_arrays()) arrays_.own(a.id, T(0));
        for (MaskId m : plan().scratch_masks()) masks_.own(m.id, 1);
        for (auto const& lasting : plan().lasting_masks()) {
            masks_.own(lasting.mask.now.id, 1);
            if (lasting.mask.next.id < 0) continue;
            masks_.own(lasting.mask.next.id, 1);
            masks_.pair(lasting.mask.now.id, lasting.mask.next.id);
        }
    }

    Layout const& layout() const noexcept { return layout_; }
    Layout& layout() noexcept { return layout_; }
    detail::Blocks const& blocks() const noexcept { return blocks_; }
    Plan const& plan() const noexcept { return *plan_; }
    ArrayId callers_array() const { return {plan().arrays() + plan().gradients()}; }

    /// The stream of the passes, a cudaStream_t. The System decides on threads.
    void run_on(int, void* stream) { system_.set_stream(stream); }

    std::span<T*> table(ArrayId a) { return arrays_.table(a.id).values; }
    void table_is_filled(ArrayId a) { arrays_.table(a.id).refresh(system_); }
    void own(ArrayId a) {
        if (arrays_.owns(a.id)) return;
        arrays_.own(a.id, T(0));
        table_is_filled(a);
    }
    void copy_to_own(ArrayId a) {
        // The table of where the values lie changes places with a spare one, so that no table is allocated.
        auto& from = spare_;
        std::swap(from, arrays_.table(a.id));
        arrays_.table(a.id).values.resize(blocks_.sizes.size());
        if (!arrays_.owns(a.id)) arrays_.own(a.id, T(0));
        arrays_.point_to_own(a.id);
        table_is_filled(a);
        run_plain<false>(detail::CopyValue{},
                         detail::TurningBegins<T>{{from.at(), nullptr}, nullptr, 0}, arrays_[a.id]);
    }
    void swap(ArrayId a, ArrayId b) { arrays_.swap(a.id, b.id); }
    void exchange(ArrayId a, ArrayId b) {
        run_plain<false>(detail::ExchangeValues{}, arrays_[a.id], arrays_[b.id]);
    }
    std::span<T> values(ArrayId a) { return arrays_.values(a.id); }
    std::span<std::uint8_t> values(MaskId m) { return masks_.values(m.id); }
    void write_back() {
        arrays_.write_back();
        masks_.write_back();
    }

    /// Also after a fault of the step.
    void copy(ArrayId from, ArrayId to) {
        run_plain<false>(detail::CopyValue{}, arrays_[from.id], arrays_[to.id]);
    }
    void copy_frozen(ArrayId from, ArrayId to) {
        if (layout_.any_frozen())
            run_plain<true>(detail::CopyValue{}, arrays_[from.id], arrays_[to.id]);
    }
    void copy_frozen(MaskId from, MaskId to) {
        if (layout_.any_frozen())
            run_plain<true>(detail::CopyValue{}, masks_[from.id], masks_[to.id]);
    }
    void clear_frozen(ArrayId to) {
        if (layout_.any_frozen()) run_plain<true>(detail::SetValue<T>{0}, arrays_[to.id]);
    }
    void set(MaskId m, std::uint8_t value) {
        run_plain<false>(detail::SetValue<std::uint8_t>{value}, masks_[m.id]);
    }

protected:
    template <class U>
    using Memory = DeviceArray<U, System>;
    template <class U>
    using Table = detail::DeviceTable<U, System>;

    struct Where {
        DeviceMemoryOf& memory;
        auto operator()(ArrayId a) const { return memory.arrays_[a.id]; }
        auto operator()(MaskId m) const { return memory.masks_[m.id]; }
    };
    template <class A>
    auto located(A const& argument) {
        return detail::locate(Where{*this}, argument);
    }

    detail::LayoutView view() {
        return {sizes_.data(), frozen_.at(), starts_.data(), layout_.size(), chunk_size};
    }
    template <bool of_frozen, class F, class... Begins>
    void run_plain(F const& f, Begins const&... begins) {
        run(chunks_, detail::PlainBody<of_frozen, F, Begins...>{view(), f, {begins...}},
            detail::NoEnd{});
    }
    template <class Body, class Tail>
    void run(std::size_t tasks, Body const& body, Tail const& tail) {
        system_.run(tasks, body, tail, ticket_.data());
    }

    Layout layout_;
    detail::Blocks blocks_;
    std::shared_ptr<Plan const> plan_;
    System system_;
    typename detail::DeviceArrays<T, System>::Table spare_;
    detail::DeviceArrays<T, System> arrays_;
    detail::DeviceArrays<std::uint8_t, System> masks_;
    std::size_t chunks_ = 0;
    Memory<detail::ChunkStart> starts_;
    Memory<std::size_t> sizes_;  // of the blocks
    Memory<unsigned> ticket_;
    Table<char> frozen_;  // each block
};

}  // namespace polder
