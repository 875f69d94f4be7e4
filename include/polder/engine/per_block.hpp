/// Functions of one coordinate whose constants differ from block to block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <vector>

namespace polder {

/// In block k the function is functions[index[k]]. What a pass may take in the place of one function for
/// all coordinates.
template <class F>
struct PerBlock {
    F const* functions;
    std::uint32_t const* index;
};

namespace detail {

template <class F>
struct FunctionOf {
    using type = F;
    static F const& in(F const& f, std::size_t) noexcept { return f; }
};
template <class F>
struct FunctionOf<PerBlock<F>> {
    using type = F;
    static F const& in(PerBlock<F> const& f, std::size_t block) noexcept {
        return f.functions[f.index[block]];
    }
};

// Room for the functions of one pass at a time; allocates only where a pass needs more than any before.
class FunctionTable {
public:
    // make(0), ..., make(count - 1).
    template <class Make>
    auto fill(std::size_t count, std::uint32_t const* index, Make const& make) {
        using F = std::invoke_result_t<Make const&, std::size_t>;
        static_assert(std::is_trivially_copyable_v<F> && alignof(F) <= alignof(Line),
                      "polder: a policy's scalar functions hold numbers alone");
        const std::size_t lines = (count * sizeof(F) + sizeof(Line) - 1) / sizeof(Line);
        if (storage_.size() < lines) storage_.resize(lines);
        auto* bytes = reinterpret_cast<std::byte*>(storage_.data());
        for (std::size_t k = 0; k < count; ++k) ::new (bytes + k * sizeof(F)) F(make(k));
        return PerBlock<F>{std::launder(reinterpret_cast<F const*>(bytes)), index};
    }

    // Room for `count` functions of the usual size, so that later steps need no more than the first.
    void reserve(std::size_t count) {
        constexpr std::size_t usual = 8;  // lines
        if (storage_.size() < count * usual) storage_.resize(count * usual);
    }

private:
    struct alignas(64) Line {
        std::byte bytes[64];
    };
    std::vector<Line> storage_;
};

}  // namespace detail

}  // namespace polder
