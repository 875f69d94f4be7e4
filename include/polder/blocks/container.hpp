/// What a parameter container is, and how it becomes a sequence of contiguous blocks.
///
/// Recognised by structure, without any include:
///   a block      contiguous float or double: std::vector, std::array, std::span, C arrays; Eigen matrices,
///                arrays and vectors, contiguous Eigen::Map; xt::xarray, xt::xtensor, xt::xtensor_fixed and
///                xt::adapt of row- or column-major layout; arma::Mat, Col, Row and Cube;
///                thrust::host_vector
///   many blocks  a member visit_blocks(f) that calls f(name, pointer, size, BlockShape) for each, and a
///                value_type: ParameterArena, TorchTensors (polder/blocks/torch.hpp)
///   a nest       std::tuple, std::pair and ranges (vector, array, list, ordered map by its values) of
///                containers
/// A user's own type joins by specialising polder::Members.
///
/// Blocks may say where their memory lies (polder/blocks/memory_space.hpp); all of a container lie in one memory,
/// the host's or that of a device (polder/cuda.hpp, polder/thrust.hpp).
///
/// Views (Eigen::Block, Eigen::Ref, xt::view, arma::subview) are refused, because their memory has gaps or may have gaps.
/// Hash maps are refused, because their order may change from one copy to the next.
#pragma once

#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
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
    !std::is_const_v<C> &&
    (std::same_as<scalar_t<C>, float> ||
     std::same_as<scalar_t<C>, double>)&&detail::accessible<memory_space_t<C>> &&
    (std::copy_constructible<C> || std::is_bounded_array_v<C>);

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
/// Throws std::invalid_argument unless Members<...>::names() has one name for each member.
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

// A copy of a container, which may be a C array.
template <class C>
struct Copy {
    explicit Copy(C const& original) : container(original) {}
    C container;
};

template <class Element, std::size_t size>
struct Copy<Element[size]> {
    explicit Copy(Element const (&original)[size]) { assign(original, container); }
    Element container[size];

private:
    template <class From, class To>
    static void assign(From const& from, To& to) {
        if constexpr (std::is_array_v<From>) {
            for (std::size_t k = 0; k < std::extent_v<From>; ++k) assign(from[k], to[k]);
        } else {
            to = from;
        }
    }
};

}  // namespace detail

/// A container of the same type and shape as x, with memory of its own. A closure gets twins as the
/// perturbed point and as the gradient. Views in a twin (std::span, Eigen::Map, xt::adapt) point into the
/// memory of the twin.
template <parameter_container C>
class Twin {
public:
    using Scalar = scalar_t<C>;

    /// Throws std::invalid_argument where a copy of the container still refers to the original's memory.
    explicit Twin(C const& original) : copy_(original) { part_from(original); }
    Twin(Twin const&) = delete;
    Twin& operator=(Twin const&) = delete;

    C& get() noexcept { return copy_.container; }
    C const& get() const noexcept { return copy_.container; }

private:
    static constexpr std::size_t alignment = 64 / sizeof(Scalar);

    static constexpr std::size_t room_for(std::size_t size) {
        return (size + alignment - 1) / alignment * alignment;
    }

    template <class F>
    void visit_views(F const& f) {
        detail::visit_leaves(
            copy_.container,
            [&]<class Leaf>(Leaf& leaf, detail::NoPath) {
                if constexpr (detail::view<Leaf>) f(leaf);
            },
            detail::NoPath{});
    }

    void part_from(C const& original) {
        std::size_t room = 0;
        visit_views([&](auto& view) { room += room_for(detail::size_of(view)); });
        memory_.resize(room);
        Scalar* next = memory_.data();
        visit_views([&]<class View>(View& view) {
            if constexpr (detail::xtensor_of_container<View>) {
                using Adapted = std::remove_reference_t<typename View::container_closure_type>;
                auto adapted = std::make_shared<Adapted>(view.storage());
                replace(view, detail::adaptor_of(*adapted, view));
                adapted_.push_back(std::move(adapted));
            } else {
                replace(view, detail::view_of(next, view));
                next += room_for(detail::size_of(view));
            }
        });
        check_parted_from(original);
    }

    // Not by assignment, which may write through the view.
    template <class View>
    static void replace(View& view, View other) noexcept {
        std::destroy_at(&view);
        std::construct_at(&view, std::move(other));
    }

    void check_parted_from(C const& original) {
        std::vector<Scalar const*> blocks;
        for_each_block(const_cast<C&>(original),
                       [&](Scalar const* data, std::size_t) { blocks.push_back(data); });
        auto block = blocks.begin();
        for_each_named_block(copy_.container, [&](std::string const& name, Scalar const* data,
                                                  std::size_t size, BlockShape) {
            if (size > 0 && data == *block) {
                POLDER_THROW std::invalid_argument(
                    "polder: block '" + name +
                    "' of a copy of the parameters is the original's memory, expected a deep copy");
            }
            ++block;
        });
    }

    detail::Copy<C> copy_;
    typename Access<memory_space_t<C>>::template Storage<Scalar> memory_;  // of the views
    std::vector<std::shared_ptr<void>> adapted_;  // what xt::adapt refers to
};

}  // namespace polder
