/// What a parameter container is, and how it becomes a sequence of contiguous blocks.
///
/// Recognised by structure, without any include:
///   a block      data() and size() over contiguous float or double: std::vector, std::array,
///   std::span,
///                ParameterArena, Eigen matrices, arrays and vectors, contiguous Eigen::Map
///   a nest       std::tuple, std::pair and ranges (vector, array, list, map by its values) of
///   containers
/// A user's own type joins by specialising polder::Members.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <new>
#include <ranges>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace polder {

/// Teaches polder about a type of your own: of(net) returns the containers in it, tied.
///
///     template <> struct polder::Members<Net> {
///         static auto of(Net& net) { return std::tie(net.weight, net.bias); }
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
concept eigen_like = requires {
    typename C::PlainObject;
};

// Eigen::Map<Plain, Options, Stride>, seen from outside: its strides are known to be those of a
// contiguous matrix when the outer one is left to Eigen (0) and the inner one is 0 or 1.
template <class C>
struct EigenMap : std::false_type {};

template <class Plain, int Options, class Stride, template <class, int, class> class View>
requires requires {
    Stride::OuterStrideAtCompileTime;
    Stride::InnerStrideAtCompileTime;
}
struct EigenMap<View<Plain, Options, Stride>> : std::true_type {
    static constexpr bool contiguous =
        Stride::OuterStrideAtCompileTime == 0 &&
        (Stride::InnerStrideAtCompileTime == 0 || Stride::InnerStrideAtCompileTime == 1);
};

template <class C>
concept eigen_matrix = eigen_like<C> && std::same_as<typename C::PlainObject, C>;

template <class C>
concept eigen_map = eigen_like<C> && EigenMap<C>::value &&
    requires(C& c, typename C::Scalar* data) {
    requires EigenMap<C>::contiguous;
    C(data, c.rows(), c.cols());
};

template <class C>
struct IsSpan : std::false_type {};
template <class T, std::size_t Extent>
struct IsSpan<std::span<T, Extent>> : std::true_type {};

template <class C>
concept has_data = requires(C& c) {
    { c.size() } -> std::convertible_to<std::size_t>;
    requires std::is_pointer_v<decltype(c.data())>;
    requires std::floating_point<std::remove_cvref_t<decltype(*c.data())>>;
};

// Contiguous memory of float or double that may be written to.
template <class C>
concept block =
    has_data<C> &&
    !std::is_const_v<std::remove_reference_t<decltype(*std::declval<C&>().data())>> &&
    (eigen_like<C> ? eigen_matrix<C> || eigen_map<C> : std::ranges::contiguous_range<C>);

// A block that refers to memory of somebody else.
template <class C>
concept view = block<C> &&(IsSpan<C>::value || eigen_map<C>);

template <class C>
concept tuple_like = requires {
    std::tuple_size<C>::value;
}
&&!std::ranges::range<C>;

template <class C>
concept map_like = requires {
    typename C::mapped_type;
}
&&std::ranges::forward_range<C>;

template <class C>
concept container_range =
    std::ranges::forward_range<C> && !has_data<C> && !eigen_like<C> && !std::ranges::view<C> &&
    !std::floating_point<std::ranges::range_value_t<C>>;

// Calls f(block) for each block in c, in order.
template <class C, class F>
constexpr void visit_blocks(C& c, F const& f) {
    if constexpr (block<C>) {
        f(c);
    } else if constexpr (has_members<C>) {
        auto members = Members<C>::of(c);
        visit_blocks(members, f);
    } else if constexpr (tuple_like<C>) {
        std::apply([&](auto&... element) { (visit_blocks(element, f), ...); }, c);
    } else if constexpr (map_like<C>) {
        for (auto& entry : c) visit_blocks(entry.second, f);
    } else {
        for (auto& element : c) visit_blocks(element, f);
    }
}

// The scalar of a container: float, double, void where it is no container, or Mixed.
struct Mixed {};

template <class C>
constexpr auto scalar_of();

template <class... Cs>
constexpr auto scalar_of_all(std::tuple<Cs...> const*) {
    if constexpr (sizeof...(Cs) == 0) {
        return std::type_identity<void>{};
    } else {
        return
            []<class First, class... Rest>(std::type_identity<First>, std::type_identity<Rest>...) {
                if constexpr ((std::is_void_v<First> || ... || std::is_void_v<Rest>)) {
                    return std::type_identity<void>{};
                } else if constexpr ((std::is_same_v<First, Rest> && ...)) {
                    return std::type_identity<First>{};
                } else {
                    return std::type_identity<Mixed>{};
                }
            }(scalar_of<std::remove_reference_t<Cs>>()...);
    }
}

template <class A, class B>
constexpr auto scalar_of_all(std::pair<A, B> const*) {
    return scalar_of_all(static_cast<std::tuple<A, B> const*>(nullptr));
}

template <class C>
constexpr auto scalar_of() {
    if constexpr (block<C>) {
        return std::type_identity<std::remove_cvref_t<decltype(*std::declval<C&>().data())>>{};
    } else if constexpr (has_data<C> || eigen_like<C>) {
        return std::type_identity<void>{};
    } else if constexpr (has_members<C>) {
        using Tied = decltype(Members<C>::of(std::declval<C&>()));
        return scalar_of_all(static_cast<Tied const*>(nullptr));
    } else if constexpr (tuple_like<C>) {
        return scalar_of_all(static_cast<C const*>(nullptr));
    } else if constexpr (map_like<C>) {
        return scalar_of<typename C::mapped_type>();
    } else if constexpr (container_range<C>) {
        return scalar_of<std::remove_reference_t<std::ranges::range_reference_t<C>>>();
    } else {
        return std::type_identity<void>{};
    }
}

}  // namespace detail

/// float or double, as it lies in the blocks of C; void where C is no container polder knows.
template <class C>
using scalar_t = typename decltype(detail::scalar_of<C>())::type;

/// A container whose blocks polder can find, read and write: all float or all double.
template <class C>
concept parameter_container =
    !std::is_const_v<C> && (std::same_as<scalar_t<C>, float> ||
                            std::same_as<scalar_t<C>, double>)&&std::copy_constructible<C>;

/// Calls f(pointer, size) for each contiguous block of a container, in order.
template <parameter_container C, class F>
void for_each_block(C& container, F&& f) {
    detail::visit_blocks(
        container, [&](auto& block) { f(block.data(), static_cast<std::size_t>(block.size())); });
}

/// A container of the same type and shape with memory of its own: what a closure is given as the
/// perturbed point and as the gradient. Views in it (std::span, Eigen::Map) point into that memory.
template <parameter_container C>
class Twin {
public:
    using Scalar = scalar_t<C>;

    explicit Twin(C const& original) : container_(original) {
        std::size_t size = 0;
        visit_views([&](auto& view) { size += static_cast<std::size_t>(view.size()); });
        storage_.resize(size);
        Scalar* next = storage_.data();
        visit_views([&](auto& view) {
            using View = std::remove_reference_t<decltype(view)>;
            const auto length = static_cast<std::size_t>(view.size());
            if constexpr (detail::eigen_map<View>) {
                const auto rows = view.rows();
                const auto cols = view.cols();
                ::new (static_cast<void*>(&view)) View(next, rows, cols);  // as Eigen's manual says
            } else {
                view = View(next, length);
            }
            next += length;
        });
    }
    Twin(Twin const&) = delete;
    Twin& operator=(Twin const&) = delete;

    C& get() noexcept { return container_; }
    C const& get() const noexcept { return container_; }

private:
    template <class F>
    void visit_views(F const& f) {
        detail::visit_blocks(container_, [&]<class Block>(Block& block) {
            if constexpr (detail::view<Block>) f(block);
        });
    }

    C container_;
    std::vector<Scalar> storage_;  // of the views
};

}  // namespace polder
