/// What an optimizer keeps between steps, and the arrays of one step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <typeinfo>
#include <variant>
#include <vector>

#include <polder/blocks/container.hpp>
#include <polder/engine/cpu.hpp>
#include <polder/engine/per_block.hpp>
#include <polder/groups/group.hpp>
#include <polder/step/numbers.hpp>

namespace polder::detail {

[[noreturn]] inline void wrong_shape(std::string const& what, std::size_t block, std::size_t found,
                                     std::size_t expected) {
    throw std::invalid_argument("polder: " + what + ": block " + std::to_string(block) + " has " +
                                std::to_string(found) + " coordinates, expected " +
                                std::to_string(expected));
}

// The blocks of a container, which must be those of the layout.
template <class C, class T>
void collect(C& container, Layout const& layout, std::vector<T*>& blocks, char const* what) {
    std::size_t block = 0;
    auto const& sizes = layout.block_sizes();
    for_each_block(container, [&](T* data, std::size_t size) {
        const std::size_t expected = block < sizes.size() ? sizes[block] : 0;
        if (block >= sizes.size() || size != expected) wrong_shape(what, block, size, expected);
        blocks[block++] = data;
    });
    if (block < sizes.size()) {
        throw std::invalid_argument("polder: " + std::string(what) + ": " + std::to_string(block) +
                                    " blocks, expected " + std::to_string(sizes.size()));
    }
}

// Which arrays of a Memory are state.
struct StateParts {
    std::span<std::string_view const> base;
    bool reference = false;
    bool fisher = false;
    bool mask = false;
    bool kept = false;
};

// One array of the state, in the host's memory.
struct StateArray {
    std::string_view name;
    std::variant<std::span<float>, std::span<double>, std::span<std::uint8_t>> values;
};

// The steps that were not skipped, and those that were, as counted on a device.
struct StepCounts {
    std::uint64_t steps = 0;
    std::uint64_t skipped = 0;
    std::uint64_t method = 0;
    std::vector<std::uint64_t> base;
};

// State and scratch of one optimizer for scalars T. The arrays have N values, counted through all
// blocks; those that a method does not need are empty. What a step changes before its last evaluation it
// writes to the array's successor, which takes its place at the end.
template <class T, class Engine_>
struct Memory {
    using Scalar = T;
    using Engine = Engine_;
    template <class U>
    using Array = typename Engine::template Array<U>;
    template <class U>
    using Table = typename Engine::template Table<U>;
    template <class U>
    using Succession = typename Engine::template Succession<U>;

    Engine engine;

    std::vector<Succession<T>> base;  // state of the base optimizer
    Succession<T> reference;          // e, of a Distance
    Succession<T> fisher;             // f, of a Fisher ellipsoid that keeps one
    Succession<std::uint8_t> mask;    // M, of a masked ball: 0 or 1
    Array<T> scores;                  // what a Fisher mask is chosen by
    Succession<T> kept;               // what LookSAM uses again

    // Of the blocks.
    std::vector<std::string> names;
    std::vector<BlockShape> shapes;
    Table<std::uint32_t> group;  // to which each belongs; 0: to none of the user's
    Table<std::uint32_t> self;   // 0, 1, 2, ...

    Table<GroupSettings> settings;      // of each group
    Table<std::uint64_t> base_steps;    // of the base optimizer so far, in each group
    Table<std::uint64_t> method_steps;  // a single one
    Table<std::uint64_t> step_counts;   // on a device: of steps, and of those that were skipped
    typename Engine::template Cell<Numbers> numbers;
    Array<double> block_numbers[2];  // a number of each block, while a pass needs it

    // Where the blocks of the containers lie in this step.
    Table<T*> x, point, gradient, perturbed, second;

    // Of the in-place form only.
    Array<T> saved;                          // x while the model holds another point
    Array<T> kept_gradient, kept_perturbed;  // gradients that the model would overwrite

    // A function for each group, or for each block, from make(group) or make(block).
    template <class Make>
    auto per_group(Make const& make) {
        return engine.per_block(make, settings.values.size(), group.at());
    }
    template <class Make>
    auto per_block(Make const& make) {
        return engine.per_block(make, self.values.size(), self.at());
    }

    // Where the blocks of a container lie, which must be those of the layout.
    template <class C>
    void collect(C& container, Table<T*>& blocks, char const* what) {
        detail::collect(container, engine.layout(), blocks.values, what);
        engine.refresh(blocks);
    }

    std::vector<StateArray> state(StateParts const& parts) {
        std::vector<StateArray> list;
        for (std::size_t k = 0; k < base.size(); ++k) {
            list.push_back({parts.base[k], std::span(base[k].array())});
        }
        const auto add = [&](std::string_view name, auto& array, bool there) {
            if (there) list.push_back({name, std::span(array.array())});
        };
        add("reference", reference, parts.reference);
        add("fisher", fisher, parts.fisher);
        add("mask", mask, parts.mask);
        add("kept", kept, parts.kept);
        return list;
    }
    // What state() has given away may have been written to.
    void take_back() {
        for (auto& state : base) state.give_back();
        reference.give_back();
        fisher.give_back();
        mask.give_back();
        kept.give_back();
    }
};

// As a device has counted.
template <class M>
StepCounts counts_of(M& memory) {
    memory.step_counts.read();
    memory.base_steps.read();
    memory.method_steps.read();
    return {memory.step_counts.values[0], memory.step_counts.values[1],
            memory.method_steps.values[0], memory.base_steps.values};
}

template <class C>
using MemoryOf = Memory<scalar_t<C>, typename EngineOf<memory_space_t<C>>::type>;

// The memory of an optimizer on a device, of which the host's programs know no type. A copy of an optimizer has its
// own.
class DeviceMemoryHolder {
public:
    DeviceMemoryHolder() = default;
    DeviceMemoryHolder(DeviceMemoryHolder const& other)
        : held_(other.held_ ? other.held_->clone() : nullptr) {}
    DeviceMemoryHolder(DeviceMemoryHolder&&) noexcept = default;
    DeviceMemoryHolder& operator=(DeviceMemoryHolder&&) noexcept = default;
    ~DeviceMemoryHolder() = default;

    template <class M>
    M& emplace() {
        auto made = std::make_unique<Of<M>>();
        M& memory = made->memory;
        held_ = std::move(made);
        return memory;
    }
    // Nullptr where it is of another type.
    template <class M>
    M* get() noexcept {
        auto* held = dynamic_cast<Of<M>*>(held_.get());
        return held == nullptr ? nullptr : &held->memory;
    }

    std::vector<StateArray> state(StateParts const& parts) { return held_->state(parts); }
    StepCounts counts() { return held_->counts(); }

private:
    struct Held {
        virtual ~Held() = default;
        virtual std::unique_ptr<Held> clone() const = 0;
        virtual std::vector<StateArray> state(StateParts const& parts) = 0;
        virtual StepCounts counts() = 0;
    };
    template <class M>
    struct Of final : Held {
        std::unique_ptr<Held> clone() const override { return std::make_unique<Of>(*this); }
        std::vector<StateArray> state(StateParts const& parts) override {
            return memory.state(parts);
        }
        StepCounts counts() override { return counts_of(memory); }
        M memory;
    };
    std::unique_ptr<Held> held_;
};

// The memory of an optimizer, whose type its first step decides.
class AnyMemory {
public:
    bool empty() const noexcept { return held_.index() == 0; }

    template <class M>
    M& emplace() {
        if constexpr (M::Engine::immediate) {
            return held_.template emplace<M>();
        } else {
            return held_.template emplace<DeviceMemoryHolder>().template emplace<M>();
        }
    }
    void clear() noexcept { held_.emplace<0>(); }

    // Nullptr where it is of another type.
    template <class M>
    M* get() noexcept {
        if constexpr (M::Engine::immediate) {
            return std::get_if<M>(&held_);
        } else {
            auto* holder = std::get_if<DeviceMemoryHolder>(&held_);
            return holder == nullptr ? nullptr : holder->template get<M>();
        }
    }

    // Where a device counts the steps; nullptr on the host.
    DeviceMemoryHolder* on_device() noexcept { return std::get_if<DeviceMemoryHolder>(&held_); }

    // (A template, so that it is compiled where it is used.)
    template <class Parts>
    std::vector<StateArray> state(Parts const& parts) {
        return std::visit(
            [&]<class M>(M& memory) -> std::vector<StateArray> {
                if constexpr (std::is_same_v<M, std::monostate>) {
                    return {};
                } else {
                    return memory.state(parts);
                }
            },
            held_);
    }

private:
    std::variant<std::monostate, Memory<float, CpuEngine>, Memory<double, CpuEngine>,
                 DeviceMemoryHolder>
        held_;
};

// Twins of a container, whatever its type. A copy of an optimizer makes its own.
class Twins {
public:
    Twins() = default;
    Twins(Twins const&) {}
    Twins& operator=(Twins const&) {
        held_.reset();
        return *this;
    }
    Twins(Twins&&) noexcept = default;
    Twins& operator=(Twins&&) noexcept = default;
    ~Twins() = default;

    template <class C>
    struct Of {
        std::optional<Twin<C>> point, gradient, perturbed, second;
    };

    // The twins of a container of type C, made at the first call: the gradient's, and those asked for.
    template <class C>
    Of<C>& of(C const& original, bool point, bool perturbed, bool second) {
        auto* held = dynamic_cast<Holder<C>*>(held_.get());
        if (held == nullptr) {
            auto made = std::make_unique<Holder<C>>();
            made->twins.gradient.emplace(original);
            if (point) made->twins.point.emplace(original);
            if (perturbed) made->twins.perturbed.emplace(original);
            if (second) made->twins.second.emplace(original);
            held = made.get();
            held_ = std::move(made);
        }
        return held->twins;
    }

private:
    struct Base {
        virtual ~Base() = default;
    };
    template <class C>
    struct Holder final : Base {
        Of<C> twins;
    };
    std::unique_ptr<Base> held_;
};

}  // namespace polder::detail
