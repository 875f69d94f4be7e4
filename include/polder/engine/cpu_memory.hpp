/// What an optimizer keeps in the host's memory, by the handles of a plan.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <polder/config.hpp>
#include <polder/engine/column.hpp>
#include <polder/engine/host_arrays.hpp>
#include <polder/engine/layout.hpp>
#include <polder/engine/parallel.hpp>
#include <polder/engine/step_data.hpp>
#include <polder/run/handles.hpp>

namespace polder {

/// The arrays and masks of a plan, for parameters in the given blocks.
template <class T>
class CpuMemory {
public:
    CpuMemory() = default;
    CpuMemory(detail::Blocks blocks, Plan const& plan)
        : layout_(blocks.sizes), blocks_(std::move(blocks)), plan_(plan),
          arrays_(static_cast<std::size_t>(plan.arrays() + plan.gradients() + 1), blocks_.sizes),
          masks_(static_cast<std::size_t>(plan.masks()), blocks_.sizes) {
        for (auto const& lasting : plan.lasting()) {
            arrays_.own(lasting.now.id, static_cast<T>(lasting.initial));
            if (lasting.next.id >= 0) arrays_.own(lasting.next.id, static_cast<T>(lasting.initial));
        }
        for (ArrayId a : plan.scratch_arrays()) arrays_.own(a.id, T(0));
        for (MaskId m : plan.scratch_masks()) masks_.own(m.id, 1);
        for (auto const& lasting : plan.lasting_masks()) {
            masks_.own(lasting.mask.now.id, 1);
            if (lasting.mask.next.id >= 0) masks_.own(lasting.mask.next.id, 1);
        }
    }

    Layout const& layout() const noexcept { return layout_; }
    Layout& layout() noexcept { return layout_; }
    detail::Blocks const& blocks() const noexcept { return blocks_; }
    Plan const& plan() const noexcept { return plan_; }

    /// An array for a container that the caller of the optimizer passes besides x: the eps of perturbation().
    ArrayId callers_array() const { return {plan_.arrays() + plan_.gradients()}; }

    void run_on(int threads, void*) noexcept { threads_ = threads; }

    /// The table of where an array begins in each block. The caller fills it, and then calls table_is_filled().
    std::vector<T*>& table(ArrayId a) { return arrays_.table(a.id); }
    void table_is_filled(ArrayId) {}
    void own(ArrayId a) {
        if (!arrays_.owns(a.id)) arrays_.own(a.id, T(0));
    }
    void copy_to_own(ArrayId a) { arrays_.copy_to_own(a.id); }
    void swap(ArrayId a, ArrayId b) { arrays_.swap(a.id, b.id); }
    /// The values change places.
    void exchange(ArrayId a, ArrayId b) {
        for_each_piece([&, this](auto block, auto within, auto, auto length) {
            T* const first = arrays_[a.id][block] + within;
            std::swap_ranges(first, first + length, arrays_[b.id][block] + within);
        });
    }

    /// The values of what lasts, which may be read and changed between steps.
    std::span<T> values(ArrayId a) { return arrays_.values(a.id); }
    std::span<std::uint8_t> values(MaskId m) { return masks_.values(m.id); }
    void write_back() {}

    /// to = from, also after a fault of the step.
    void copy(ArrayId from, ArrayId to) { copy_pieces<false>(from, to); }
    /// to = from in frozen blocks, which passes leave out.
    void copy_frozen(ArrayId from, ArrayId to) {
        if (layout_.any_frozen()) copy_pieces<true>(from, to);
    }
    void copy_frozen(MaskId from, MaskId to) {
        if (!layout_.any_frozen()) return;
        for_each_piece<true>([&, this](auto block, auto within, auto, auto length) {
            std::copy_n(masks_[from.id][block] + within, length, masks_[to.id][block] + within);
        });
    }
    /// to = 0 in frozen blocks.
    void clear_frozen(ArrayId to) {
        if (!layout_.any_frozen()) return;
        for_each_piece<true>([&, this](auto block, auto within, auto, auto length) {
            std::fill_n(arrays_[to.id][block] + within, length, T(0));
        });
    }

    void set(MaskId m, std::uint8_t value) {
        for_each_piece([&, this](auto block, auto within, auto, auto length) {
            std::fill_n(masks_[m.id][block] + within, length, value);
        });
    }

    // For engine/choose.hpp.
    template <class F>
    void for_each_chunk(F const& f) {
        std::size_t const chunks = layout_.chunks();
        parallel_for(chunks, chunks < chunks_worth_threads ? 1 : threads_, f);
    }
    template <class A>
    auto located(A const& argument) const {
        return detail::locate(Where{*this}, argument);
    }

protected:
    // With fewer chunks a pass takes less time than waking the other threads.
    static constexpr std::size_t chunks_worth_threads = 4;

    template <class U>
    struct Begins {
        U* const* blocks;
        POLDER_INLINE U* operator()(std::size_t block) const { return blocks[block]; }
    };
    struct Where {
        CpuMemory const& memory;
        auto operator()(ArrayId a) const { return Begins<T>{memory.arrays_[a.id]}; }
        auto operator()(MaskId m) const { return Begins<std::uint8_t>{memory.masks_[m.id]}; }
    };

    template <bool of_frozen = false, class F>
    void for_each_piece(F const& f) {
        for_each_chunk(
            [&](std::size_t chunk) { layout_.template for_each_piece<of_frozen>(chunk, f); });
    }
    template <bool of_frozen>
    void copy_pieces(ArrayId from, ArrayId to) {
        for_each_piece<of_frozen>([&, this](auto block, auto within, auto, auto length) {
            std::copy_n(arrays_[from.id][block] + within, length, arrays_[to.id][block] + within);
        });
    }

    Layout layout_;
    detail::Blocks blocks_;
    Plan plan_;
    detail::HostArrays<T> arrays_;
    detail::HostArrays<std::uint8_t> masks_;
    int threads_ = default_threads();
};

}  // namespace polder
