/// What an optimizer keeps between steps, and the arrays of one step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <vector>

#include <polder/blocks/cache_line_allocator.hpp>
#include <polder/blocks/container.hpp>
#include <polder/engine/cpu.hpp>
#include <polder/engine/per_block.hpp>
#include <polder/groups/group.hpp>

namespace polder::detail {

template <class T>
using Array = std::vector<T, CacheLineAllocator<T>>;

// State and scratch of one optimizer for scalars T. The arrays have N values, counted through all
// blocks; those that a method does not need are empty. What a step changes before its last evaluation it
// writes to the array's successor (next_...), swapped in at the end.
template <class T>
struct Memory {
    CpuEngine engine;

    std::vector<Array<T>> base, next_base;  // state of the base optimizer
    Array<T> reference, next_reference;     // e, of a Distance
    Array<T> fisher, next_fisher;           // f, of a Fisher ellipsoid that keeps one
    Array<std::uint8_t> mask, next_mask;    // M, of a masked ball: 0 or 1
    Array<T> scores;                        // what a Fisher mask is chosen by
    Array<T> kept;                          // what LookSAM uses again

    // Of the blocks.
    std::vector<std::string> names;
    std::vector<BlockShape> shapes;
    std::vector<std::uint32_t> group;  // to which each belongs; 0: to none of the user's
    std::vector<std::uint32_t> self;   // 0, 1, 2, ...

    std::vector<GroupSettings> settings;   // of each group
    FunctionTable functions;               // of the pass under way
    std::vector<double> block_numbers[2];  // a number of each block, while a pass needs it

    // Where the blocks of the containers lie in this step.
    std::vector<T*> x, point, gradient, perturbed, second;

    // Of the in-place form only.
    Array<T> saved;                          // x while the model holds another point
    Array<T> kept_gradient, kept_perturbed;  // gradients that the model would overwrite

    // A function for each group, or for each block, from make(group) or make(block).
    template <class Make>
    auto per_group(Make const& make) {
        return functions.fill(settings.size(), group.data(), make);
    }
    template <class Make>
    auto per_block(Make const& make) {
        return functions.fill(self.size(), self.data(), make);
    }
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

}  // namespace polder::detail
