/// What an optimizer keeps in the host's memory, by the handles of a plan.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include <polder/blocks/block_shape.hpp>
#include <polder/config.hpp>
#include <polder/engine/column.hpp>
#include <polder/engine/function_ref.hpp>
#include <polder/engine/host_arrays.hpp>
#include <polder/engine/layout.hpp>
#include <polder/engine/parallel.hpp>
#include <polder/run/handles.hpp>

namespace polder {

namespace detail {

// What of it does not depend on the scalar, but on its width in bytes.
class POLDER_OPENMP_MARK CpuStore {
public:
    CpuStore() = default;
    POLDER_COLD CpuStore(std::size_t width, Blocks blocks, std::shared_ptr<Plan const> of)
        : layout_(blocks.sizes), blocks_(std::move(blocks)), plan_(std::move(of)),
          arrays_(width, static_cast<std::size_t>(plan().arrays() + plan().gradients() + 3),
                  blocks_.sizes),
          masks_(1, static_cast<std::size_t>(plan().masks()), blocks_.sizes) {
        for (auto const& lasting : plan().lasting()) {
            arrays_.own(lasting.now.id, lasting.initial);
            if (lasting.next.id >= 0) arrays_.own(lasting.next.id, lasting.initial);
        }
        for (ArrayId a : plan().scratch_arrays()) arrays_.own(a.id, 0);
        for (MaskId m : plan().scratch_masks()) masks_.own(m.id, 1);
        for (auto const& lasting : plan().lasting_masks()) {
            masks_.own(lasting.mask.now.id, 1);
            if (lasting.mask.next.id >= 0) masks_.own(lasting.mask.next.id, 1);
        }
    }

    Layout const& layout() const noexcept { return layout_; }
    Layout& layout() noexcept { return layout_; }
    Blocks const& blocks() const noexcept { return blocks_; }
    Plan const& plan() const noexcept { return *plan_; }

    /// An array for a container that the caller of the optimizer passes besides x: the eps of perturbation().
    ArrayId callers_array() const { return {plan().arrays() + plan().gradients()}; }
    /// Arrays k = 0 and 1 for what several ranks have averaged (run/ranks.hpp).
    ArrayId ranks_array(int k) const { return {callers_array().id + 1 + k}; }

    /// Bytes of a value.
    std::size_t width() const noexcept { return arrays_.width(); }

    void run_on(int threads, void*) noexcept { threads_ = threads; }

    /// The table of where an array begins in each block. The caller fills it, and then calls table_is_filled().
    std::span<void*> table(ArrayId a) { return arrays_.table(a.id); }
    void table_is_filled(ArrayId) {}
    void own(ArrayId a) {
        if (!arrays_.owns(a.id)) arrays_.own(a.id, 0);
    }
    void zero(ArrayId a) { arrays_.own(a.id, 0); }
    void copy_to_own(ArrayId a) { arrays_.copy_to_own(a.id); }
    void swap(ArrayId a, ArrayId b) { arrays_.swap(a.id, b.id); }
    void write_back() {}

    /// to = from, also after a fault of the step.
    void copy(ArrayId from, ArrayId to) { copy_pieces<false>(arrays_, from.id, to.id); }
    /// to = from in frozen blocks, which passes leave out.
    void copy_frozen(ArrayId from, ArrayId to) {
        if (layout_.any_frozen()) copy_pieces<true>(arrays_, from.id, to.id);
    }
    void copy_frozen(MaskId from, MaskId to) {
        if (layout_.any_frozen()) copy_pieces<true>(masks_, from.id, to.id);
    }
    /// to = 0 in frozen blocks.
    void clear_frozen(ArrayId to) {
        if (layout_.any_frozen()) fill_pieces<true>(arrays_, to.id, 0);
    }
    void set(MaskId m, std::uint8_t value) { fill_pieces<false>(masks_, m.id, value); }
    std::span<std::uint8_t> values(MaskId m) {
        return {static_cast<std::uint8_t*>(masks_.values(m.id)), masks_.size()};
    }

    // For engine/choose.hpp.
    POLDER_APART void for_each_chunk(FunctionRef<void(std::size_t)> f) {
        std::size_t const chunks = layout_.chunks();
        if (chunks >= chunks_worth_threads) return parallel_for(chunks, threads_, f);
        for (std::size_t chunk = 0; chunk < chunks; ++chunk) f(chunk);
    }

protected:
    // With fewer chunks a pass takes less time than waking the other threads.
    static constexpr std::size_t chunks_worth_threads = 4;

    template <bool of_frozen = false>
    POLDER_APART void for_each_piece(PieceFunction f) {
        std::size_t const chunks = layout_.chunks();
        if (chunks >= chunks_worth_threads) {
            return for_each_chunk(
                [&](std::size_t chunk) { layout_.for_each_piece<of_frozen>(chunk, f); });
        }
        for (std::size_t chunk = 0; chunk < chunks; ++chunk)
            layout_.for_each_piece<of_frozen>(chunk, f);
    }

    Layout layout_;
    Blocks blocks_;
    std::shared_ptr<Plan const> plan_;
    HostArrays arrays_;
    HostArrays masks_;
    int threads_ = default_threads();

private:
    template <bool of_frozen>
    POLDER_APART void copy_pieces(HostArrays& arrays, int from, int to) {
        for_each_piece<of_frozen>(
            [&](std::size_t block, std::size_t within, std::size_t, std::size_t length) {
                std::memcpy(arrays.address(to, block, within), arrays.address(from, block, within),
                            length * arrays.width());
            });
    }
    template <bool of_frozen>
    POLDER_APART void fill_pieces(HostArrays& arrays, int to, int byte) {
        for_each_piece<of_frozen>(
            [&](std::size_t block, std::size_t within, std::size_t, std::size_t length) {
                std::memset(arrays.address(to, block, within), byte, length * arrays.width());
            });
    }
};

}  // namespace detail

/// The arrays and masks of a plan, for parameters in the given blocks.
template <class T>
class POLDER_OPENMP_MARK CpuMemory : public detail::CpuStore {
public:
    CpuMemory() = default;
    CpuMemory(detail::Blocks blocks, std::shared_ptr<Plan const> plan)
        : CpuStore(sizeof(T), std::move(blocks), std::move(plan)) {}

    /// The values change places.
    void exchange(ArrayId a, ArrayId b) {
        this->for_each_piece(
            [&, this](std::size_t block, std::size_t within, std::size_t, std::size_t length) {
                T* const first = begins(a)(block) + within;
                std::swap_ranges(first, first + length, begins(b)(block) + within);
            });
    }

    /// The values of what lasts, which may be read and changed between steps.
    std::span<T> values(ArrayId a) {
        return {static_cast<T*>(arrays_.values(a.id)), arrays_.size()};
    }
    using CpuStore::values;

    // For engine/choose.hpp.
    template <class A>
    auto located(A const& argument) const {
        return detail::locate(Where{*this}, argument);
    }

protected:
    // Where an array begins in each block.
    template <class U>
    struct Begins {
        void* const* blocks;
        POLDER_INLINE U* operator()(std::size_t block) const {
            return static_cast<U*>(blocks[block]);
        }
    };
    Begins<T> begins(ArrayId a) const { return {arrays_[a.id]}; }
    Begins<std::uint8_t> begins(MaskId m) const { return {masks_[m.id]}; }

    struct Where {
        CpuMemory const& memory;
        auto operator()(ArrayId a) const { return memory.begins(a); }
        auto operator()(MaskId m) const { return memory.begins(m); }
    };
};

}  // namespace polder
