/// What a block is: contiguous memory of float or double. Here are the types of libraries that are blocks, and their shapes.
///
/// Types of libraries are recognised by their structure, so that no library has to be included.
#pragma once

#include <concepts>
#include <cstddef>
#include <ranges>
#include <type_traits>
#include <utility>

#include <polder/blocks/block_shape.hpp>
#include <polder/blocks/memory_space.hpp>

namespace polder::detail {

template <class P>
concept scalar_pointer =
    std::is_pointer_v<P> && std::floating_point<std::remove_cv_t<std::remove_pointer_t<P>>>;

template <class C>
concept has_data = requires(C& c) {
    { c.size() } -> std::convertible_to<std::size_t>;
    requires scalar_pointer<decltype(c.data())>;
};

// C arrays of any number of dimensions: double[3][4].
template <class C>
concept scalar_array = std::is_bounded_array_v<C> &&
    std::floating_point<std::remove_cv_t<std::remove_all_extents_t<C>>>;

// Eigen.

template <class C>
concept eigen_like = requires {
    typename C::PlainObject;
};

template <class C>
concept eigen_matrix = eigen_like<C> && std::same_as<typename C::PlainObject, C>;

// Eigen::Map<Plain, Options, Stride>. It is known to be contiguous if its outer stride is left to Eigen (0) and its inner
// stride is 0 or 1.
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
concept eigen_map = eigen_like<C> && EigenMap<C>::value &&
    requires(C& c, typename C::Scalar* data) {
    requires EigenMap<C>::contiguous;
    C(data, c.rows(), c.cols());
};

// Eigen::Ref<VectorXd>: of a vector, without a stride.
template <class C>
concept eigen_vector_ref = eigen_like<C> && !eigen_matrix<C> && EigenMap<C>::value &&
                           requires(C & c, typename C::Scalar* data) {
    requires bool(C::IsVectorAtCompileTime);
    requires int(C::InnerStrideAtCompileTime) == 1;
    requires !std::constructible_from<C, typename C::Scalar*, int>;
    C(C::PlainObject::Map(data, c.size()));
};

template <class C>
concept eigen_block = has_data<C> &&(eigen_matrix<C> || eigen_map<C> || eigen_vector_ref<C>);

// Eigen::Tensor, of Eigen's unsupported modules. (TensorMap has no resize().)
template <class C>
concept eigen_tensor = has_data<C> && requires(C& c) {
    C::NumIndices;
    C::Layout;
    c.resize(c.dimensions());
};

// A number by itself: a member of a user's type, or an element of a tuple.
template <class C>
concept lone_scalar = std::same_as<C, float> || std::same_as<C, double>;

// xtensor. Its containers and adaptors are contiguous where their type fixes the layout; its views, which
// can be told by their expression(), are not, or not known to be.

template <class C>
concept xtensor_like = requires(C& c) {
    C::static_layout;
    c.dimension();
    c.shape();
};

template <class C>
concept xtensor_dense = xtensor_like<C> && has_data<C> && !requires(C & c) {
    c.expression();
}
&&(C::static_layout == std::remove_cv_t<decltype(C::static_layout)>::row_major ||
   C::static_layout == std::remove_cv_t<decltype(C::static_layout)>::column_major);

// xt::adapt(container): refers to a container of the user.
template <class C>
concept xtensor_of_container =
    xtensor_dense<C> && std::is_reference_v<typename C::container_closure_type>;

// xt::adapt(pointer, ...): has a buffer of a pointer and a size.
template <class C>
concept xtensor_of_buffer = xtensor_dense<C> && requires {
    typename C::container_closure_type::destructor_type;
};

template <class C>
concept xtensor_of_pointer = xtensor_of_buffer<C> &&
    std::constructible_from<typename C::container_closure_type, decltype(std::declval<C&>().data()),
                            std::size_t>;

// (Of a constant container xtensor 0.24 claims to have pointers that may be written through.)
template <class C>
concept xtensor_block = xtensor_dense<C> &&
    (!xtensor_of_buffer<C> || xtensor_of_pointer<C>)&&!requires {
    requires std::is_const_v<std::remove_reference_t<typename C::container_closure_type>>;
};

// Armadillo: Mat, Col, Row and Cube have memptr(), views of them have not.

template <class C>
concept armadillo_block = requires(C& c) {
    requires scalar_pointer<decltype(c.memptr())>;
    { c.n_elem } -> std::convertible_to<std::size_t>;
    { c.n_rows } -> std::convertible_to<std::size_t>;
};

// std::span, and what is built like it.
template <class C>
concept span_like = has_data<C> && std::ranges::contiguous_range<C> && std::ranges::view<C> &&
    std::constructible_from<C, decltype(std::declval<C&>().data()), std::size_t>;

// thrust::host_vector: its iterators wrap a pointer, but do not say that they are contiguous.
template <class C>
concept pointer_range = has_data<C> && requires(C& c) {
    requires std::same_as < std::remove_cvref_t<decltype(c.begin().base())>,
    decltype(c.data()) > ;
    { *c.begin() } -> std::same_as<decltype(*c.data())>;
};

// thrust::device_vector and thrust::universal_vector: their pointers wrap raw ones.
template <class C>
concept device_vector_like = requires(C& c) {
    { c.size() } -> std::convertible_to<std::size_t>;
    requires scalar_pointer<decltype(c.data().get())>;
};

// A type that says so itself.
template <class C>
concept declared_block = has_data<C> && requires {
    requires C::is_contiguous_block;
};

template <class C>
concept plain_block =
    has_data<C> && !eigen_like<C> && !xtensor_like<C> &&
    (std::ranges::view<C> ? span_like<C> : std::ranges::contiguous_range<C> || pointer_range<C>);

template <class C>
concept dense =
    scalar_array<C> || eigen_block<C> || xtensor_block<C> || armadillo_block<C> || plain_block<C> ||
    declared_block<C> || device_vector_like<C> || eigen_tensor<C> || lone_scalar<C>;

template <dense C>
constexpr auto* data_of(C& c) noexcept {
    if constexpr (lone_scalar<std::remove_const_t<C>>) {
        return &c;
    } else if constexpr (scalar_array<C>) {
        if constexpr (std::rank_v<C> == 1) {
            return &c[0];
        } else {
            return data_of(c[0]);
        }
    } else if constexpr (armadillo_block<C>) {
        return c.memptr();
    } else if constexpr (device_vector_like<C>) {
        return c.data().get();
    } else {
        return c.data();
    }
}

template <dense C>
constexpr std::size_t size_of(C const& c) noexcept {
    if constexpr (lone_scalar<C>) {
        return 1;
    } else if constexpr (scalar_array<C>) {
        return sizeof(C) / sizeof(std::remove_all_extents_t<C>);
    } else if constexpr (armadillo_block<C>) {
        return static_cast<std::size_t>(c.n_elem);
    } else {
        return static_cast<std::size_t>(c.size());
    }
}

// Contiguous memory of float or double that may be written to.
template <class C>
concept block =
    dense<C> && !std::is_const_v<std::remove_pointer_t<decltype(data_of(std::declval<C&>()))>>;

// A block that refers to memory that belongs to somebody else.
template <class C>
concept view = block<C> &&
    (span_like<C> || eigen_map<C> || eigen_vector_ref<C> || xtensor_of_container<C> ||
     xtensor_of_pointer<C> || requires { requires C::is_view; });

template <class Extents>
constexpr BlockShape shape_of_extents(Extents const& extents, bool row_major) {
    BlockShape shape{1, 1, row_major};
    std::size_t dimension = 0;
    for (auto const extent : extents) {
        (dimension == 0 ? shape.rows : shape.cols) *= static_cast<std::size_t>(extent);
        ++dimension;
    }
    if (dimension < 2) shape.row_major = true;
    return shape;
}

template <block C>
constexpr BlockShape shape_of(C const& block) {
    std::size_t const size = size_of(block);
    if constexpr (scalar_array<C>) {
        return {std::extent_v<C>, size / std::extent_v<C>, true};
    } else if constexpr (xtensor_dense<C>) {
        using Layout = std::remove_cv_t<decltype(C::static_layout)>;
        return shape_of_extents(block.shape(), C::static_layout == Layout::row_major);
    } else if constexpr (armadillo_block<C>) {
        // A Cube lies slice by slice.
        if constexpr (requires { block.n_slices; }) {
            return {block.n_rows, std::size_t{block.n_cols} * block.n_slices, false};
        } else if constexpr (!C::is_col && !C::is_row) {
            return {block.n_rows, block.n_cols, false};
        }
    } else if constexpr (eigen_like<C>) {
        if constexpr (!C::IsVectorAtCompileTime) {
            return {static_cast<std::size_t>(block.rows()), static_cast<std::size_t>(block.cols()),
                    bool(C::IsRowMajor)};
        }
    }
    return {size, 1, true};
}

// A view of the type and shape of `view` over other storage, of the kind that it adapts.
template <xtensor_block View, class Storage>
View adaptor_of(Storage& storage, View const& view) {
    if constexpr (std::constructible_from<View, Storage&, decltype(view.shape())>) {
        return View(storage, view.shape());
    } else {
        return View(storage);  // the shape is in the type
    }
}

// A view of the type and shape of `view` over size_of(view) scalars from `memory` on.
template <view View, class T>
View view_of(T* memory, View const& view) {
    if constexpr (eigen_map<View>) {
        return View(memory, view.rows(), view.cols());
    } else if constexpr (eigen_vector_ref<View>) {
        return View(View::PlainObject::Map(memory, view.size()));
    } else if constexpr (xtensor_of_pointer<View>) {
        typename View::container_closure_type buffer(memory, size_of(view));
        return adaptor_of(buffer, view);
    } else {
        return View(memory, size_of(view));
    }
}

}  // namespace polder::detail

namespace polder {

template <detail::device_vector_like B>
struct MemorySpace<B> {
    using type = DeviceMemory;
};

}  // namespace polder
