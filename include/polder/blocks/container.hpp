/// What a parameter container is, and how it becomes a sequence of contiguous blocks.
///
/// Recognised by structure, without any include:
///   a block      contiguous float or double: std::vector, std::array, std::span, C arrays; Eigen matrices,
///                arrays and vectors, contiguous Eigen::Map, Eigen::Ref of vectors, Eigen::Tensor; xt::xarray, xt::xtensor, xt::xtensor_fixed and
///                xt::adapt of row- or column-major layout; arma::Mat, Col, Row and Cube;
///                thrust::host_vector
///   many blocks  a member visit_blocks(f) that calls f(name, pointer, size, BlockShape) for each, and a
///                value_type: ParameterArena, TorchTensors (polder/blocks/torch.hpp)
///   a nest       std::tuple, std::pair and ranges (vector, array, list, ordered map by its values) of
///                containers; std::vector of pointers to containers, raw or smart
/// A user's own type joins by specialising polder::Members.
///
/// Blocks may say where their memory lies (polder/blocks/memory_space.hpp); all of a container lie in one memory,
/// the host's or that of a device (polder/cuda.hpp, polder/thrust.hpp).
///
/// In a nest a float or double by itself is a block of one coordinate.
///
/// Views (Eigen::Block, Eigen::Ref of matrices, xt::view, arma::subview) are refused, because their memory has gaps or may have gaps.
/// Hash maps are refused, because their order may change from one copy to the next.
#pragma once

#include <concepts>
#include <cstddef>
#include <iterator>
#include <ranges>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/blocks/block.hpp>
#include <polder/blocks/block_shape.hpp>
#include <polder/blocks/memory_space.hpp>
#include <polder/config.hpp>
#include <polder/error.hpp>

namespace polder {

/// Specialise this for a type of your own: of(net) returns its containers, tied. names() returns their names, and may be left
/// out.
///
///     template <> struct polder::Members<Net> {
///         static auto of(Net& net) { return std::tie(net.weight, net.bias); }
///         static auto names() { return std::array{"weight", "bias"}; }
///     };
///
/// The type must be copyable, since the gradient is an object of the same type.
template <class C>
struct Members;

namespace detail {

template <class C>
concept has_members = requires(C& c) {
    Members<C>::of(c);
};

template <class C>
concept has_member_names = requires {
    Members<C>::names();
};

// A container that knows its blocks: visit_blocks(f) calls f(name, pointer, size, shape) for each.
template <class C>
concept visits_blocks = std::floating_point<typename C::value_type> &&
    requires(C& c,
             void (*f)(std::string const&, typename C::value_type*, std::size_t, BlockShape)) {
    c.visit_blocks(f);
};

template <class C>
concept tuple_like = requires {
    std::tuple_size<C>::value;
}
&&!std::ranges::range<C>;

// (Of a hash map the order may change with a copy.)
template <class C>
concept map_like = std::ranges::forward_range<C> && requires {
    typename C::mapped_type;
} && !requires {
    typename C::hasher;
};

// A pointer to a container, raw or smart: an element of a range of them.
template <class C>
struct PointeeOf : std::type_identity<void> {};
template <class T>
struct PointeeOf<T*> : std::type_identity<T> {};
template <class C>
requires requires(C const& c) {
    { c.get() } -> std::same_as<typename C::element_type*>;
    { *c } -> std::same_as<typename C::element_type&>;
}
struct PointeeOf<C> : std::type_identity<typename C::element_type> {};
template <class C>
using pointee_t = typename PointeeOf<C>::type;

template <class C>
concept pointer_to_container = !std::is_void_v<pointee_t<C>> && !lone_scalar<pointee_t<C>> &&
                               std::copy_constructible<pointee_t<C>>;
template <class C>
concept range_of_pointers = std::ranges::forward_range<C> &&
    pointer_to_container<std::ranges::range_value_t<C>> && requires(C& c) {
    c.push_back(std::ranges::range_value_t<C>{});
};

template <class C>
concept container_range =
    std::ranges::forward_range<C> && !has_data<C> && !eigen_like<C> && !std::ranges::view<C> &&
    !std::floating_point<std::ranges::range_value_t<C>>;

// The way to a block through a nest, as text; empty if the text is not needed.
struct NoPath {
    constexpr NoPath operator/(auto const&) const noexcept { return {}; }
};

struct Path {
    std::string text;

    Path operator/(std::string_view key) const {
        return {text.empty() ? std::string(key) : text + '.' + std::string(key)};
    }
    Path operator/(std::size_t index) const {
        return *this / std::string_view(std::to_string(index));
    }
};

// A part of a path: the key of an entry of a map or, if the key is neither text nor a number, its position.
template <class Key>
auto step_of(Key const& key, std::size_t position) {
    if constexpr (std::convertible_to<Key const&, std::string_view>) {
        return std::string_view(key);
    } else if constexpr (std::is_arithmetic_v<Key>) {
        return std::to_string(key);
    } else {
        return position;
    }
}

template <class C, class F, class At>
constexpr void visit_leaves(C& c, F const& f, At const& at);

template <class C, class F>
void visit_named_members(C& c, F const& f, Path const& at) {
    auto members = Members<C>::of(c);
    auto const& names = Members<C>::names();
    static_assert(
        std::convertible_to<std::ranges::range_reference_t<decltype(names)>, std::string_view> &&
            tuple_like<decltype(members)>,
        "polder: Members<...>::names() is a range of text, a name for each member that of() ties");
    auto const count = static_cast<std::size_t>(std::distance(std::begin(names), std::end(names)));
    constexpr std::size_t expected = std::tuple_size_v<decltype(members)>;
    if (count != expected) {
        POLDER_THROW std::invalid_argument("polder: Members<...>::names() gives " +
                                           std::to_string(count) + " names, expected " +
                                           std::to_string(expected));
    }
    auto name = std::ranges::begin(names);
    std::apply(
        [&](auto&... member) { (visit_leaves(member, f, at / std::string_view(*name++)), ...); },
        members);
}

// Calls f(leaf, path) for each container in a nest that is no nest itself, in order.
template <class C, class F, class At>
constexpr void visit_leaves(C& c, F const& f, At const& at) {
    if constexpr (has_members<C>) {
        if constexpr (has_member_names<C> && std::is_same_v<At, Path>) {
            visit_named_members(c, f, at);
        } else {
            auto members = Members<C>::of(c);
            visit_leaves(members, f, at);
        }
    } else if constexpr (visits_blocks<C> || block<C>) {
        f(c, at);
    } else if constexpr (pointer_to_container<C>) {
        if (c == nullptr)
            POLDER_THROW std::invalid_argument("polder: a pointer to parameters is null");
        visit_leaves(*c, f, at);
    } else if constexpr (tuple_like<C>) {
        std::size_t index = 0;
        std::apply([&](auto&... element) { (visit_leaves(element, f, at / index++), ...); }, c);
    } else if constexpr (map_like<C>) {
        if constexpr (std::is_same_v<At, Path>) {
            std::size_t position = 0;
            for (auto& entry : c)
                visit_leaves(entry.second, f, at / step_of(entry.first, position++));
        } else {
            for (auto& entry : c) visit_leaves(entry.second, f, at);
        }
    } else {
        std::size_t index = 0;
        for (auto& element : c) visit_leaves(element, f, at / index++);
    }
}

// What all blocks of a container have in common: their scalar, and where their memory lies. Void where it is no
// container, Mixed where they differ.
struct Mixed {};

template <class Scalar_, class Space_>
struct Kind {
    using Scalar = Scalar_;
    using Space = Space_;
};
using NoKind = Kind<void, void>;

template <class A, class B>
using Common = std::conditional_t<std::is_same_v<A, B>, A, Mixed>;

// What containers of two kinds have in common.
template <class ScalarA, class SpaceA, class ScalarB, class SpaceB>
constexpr auto operator+(Kind<ScalarA, SpaceA>, Kind<ScalarB, SpaceB>) {
    if constexpr (std::is_void_v<ScalarA> || std::is_void_v<ScalarB>) {
        return NoKind{};
    } else {
        return Kind<Common<ScalarA, ScalarB>, Common<SpaceA, SpaceB>>{};
    }
}

template <class C>
constexpr auto kind_of();

template <class... Cs>
constexpr auto kind_of_all(std::tuple<Cs...> const*) {
    if constexpr (sizeof...(Cs) == 0) {
        return NoKind{};
    } else {
        return (kind_of<std::remove_reference_t<Cs>>() + ...);
    }
}

template <class A, class B>
constexpr auto kind_of_all(std::pair<A, B> const*) {
    return kind_of_all(static_cast<std::tuple<A, B> const*>(nullptr));
}

template <class C>
constexpr auto kind_of() {
    using Space = typename MemorySpace<C>::type;
    if constexpr (has_members<C>) {
        using Tied = decltype(Members<C>::of(std::declval<C&>()));
        return kind_of_all(static_cast<Tied const*>(nullptr));
    } else if constexpr (visits_blocks<C>) {
        return Kind<typename C::value_type, Space>{};
    } else if constexpr (block<C>) {
        return Kind<std::remove_cvref_t<decltype(*data_of(std::declval<C&>()))>, Space>{};
    } else if constexpr (device_vector_like<C>) {
        return Kind<std::remove_cvref_t<decltype(*std::declval<C&>().data().get())>, Space>{};
    } else if constexpr (dense<C> || has_data<C> || eigen_like<C>) {
        return NoKind{};
    } else if constexpr (tuple_like<C>) {
        return kind_of_all(static_cast<C const*>(nullptr));
    } else if constexpr (map_like<C>) {
        return kind_of<typename C::mapped_type>();
    } else if constexpr (range_of_pointers<C>) {
        return kind_of<pointee_t<std::ranges::range_value_t<C>>>();
    } else if constexpr (container_range<C>) {
        return kind_of<std::remove_reference_t<std::ranges::range_reference_t<C>>>();
    } else {
        return NoKind{};
    }
}

}  // namespace detail

/// The scalar of the blocks of C, float or double. It is void if polder does not know C as a container.
template <class C>
using scalar_t = typename decltype(detail::kind_of<C>())::Scalar;

/// Where the blocks of C lie: HostMemory or another type. It is void if polder does not know C as a container.
template <class C>
using memory_space_t = typename decltype(detail::kind_of<C>())::Space;

/// A container whose blocks polder can find, read and write: all float or all double, in the host's memory, or in
/// that of a device whose header is included.
template <class C>
concept parameter_container =
    !std::is_const_v<C> && !detail::lone_scalar<C> &&
    (std::same_as<scalar_t<C>, float> ||
     std::same_as<scalar_t<C>, double>)&&detail::accessible<memory_space_t<C>> &&
    (std::copy_constructible<C> || std::is_bounded_array_v<C> || detail::range_of_pointers<C>);

/// Calls f(pointer, size) for each contiguous block of a container, in order.
template <parameter_container C, class F>
void for_each_block(C& container, F&& f) {
    detail::visit_leaves(
        container,
        [&]<class Leaf>(Leaf& leaf, detail::NoPath) {
            if constexpr (detail::visits_blocks<Leaf>) {
                leaf.visit_blocks([&](auto const&, scalar_t<C>* data, std::size_t size,
                                      BlockShape) { f(data, size); });
            } else {
                f(detail::data_of(leaf), detail::size_of(leaf));
            }
        },
        detail::NoPath{});
}

/// Calls f(std::string const& name, pointer, size, BlockShape) for each block, in the same order. The name
/// is the way to the block, joined by dots: keys of maps, names of members and of an arena's matrices,
/// indices of everything else ("layers.0.weight"); a container that is one block calls it "parameters".
/// Throws std::invalid_argument unless `Members<...>::names()` has one name for each member.
template <parameter_container C, class F>
void for_each_named_block(C& container, F&& f) {
    detail::visit_leaves(
        container,
        [&]<class Leaf>(Leaf& leaf, detail::Path const& at) {
            if constexpr (detail::visits_blocks<Leaf>) {
                leaf.visit_blocks(
                    [&](std::string const& name, scalar_t<C>* data, std::size_t size,
                        BlockShape shape) { f((at / name).text, data, size, shape); });
            } else {
                f(at.text.empty() ? std::string("parameters") : at.text, detail::data_of(leaf),
                  detail::size_of(leaf), detail::shape_of(leaf));
            }
        },
        detail::Path{});
}

namespace detail {

// The names, shapes and sizes of all blocks.
template <class C>
POLDER_COLD Blocks blocks_of(C& container) {
    Blocks blocks;
    for_each_named_block(container,
                         [&](std::string const& name, auto*, std::size_t size,
                             BlockShape const& shape) { blocks.add(name, size, shape); });
    return blocks;
}

}  // namespace detail

}  // namespace polder
