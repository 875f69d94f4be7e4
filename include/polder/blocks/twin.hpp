/// A container like the parameters, with memory of its own.
#pragma once

#include <cstddef>
#include <memory>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/blocks/block.hpp>
#include <polder/blocks/container.hpp>
#include <polder/blocks/memory_space.hpp>
#include <polder/blocks/overlap.hpp>

namespace polder {

namespace detail {

// A copy of a container, which may be a C array or hold pointers.
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

template <range_of_pointers C>
struct Copy<C> {
    explicit Copy(C const& original) {
        using Pointer = std::ranges::range_value_t<C>;
        using Pointee = pointee_t<Pointer>;
        for (auto const& from : original) {
            auto copy = std::make_unique<Pointee>(*from);
            if constexpr (std::is_pointer_v<Pointer>) {
                container.push_back(copy.get());
                held.push_back(std::move(copy));
            } else {
                container.push_back(Pointer(std::move(copy)));
            }
        }
    }
    C container;
    std::vector<std::unique_ptr<pointee_t<std::ranges::range_value_t<C>>>> held;  // of raw pointers
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
        if constexpr (!detail::block<C> || detail::view<C>) part_views();
        // Called by its name: nvcc loses a list in braces here.
        detail::require_deep_copy(detail::Called("the parameters", const_cast<C&>(original)),
                                  detail::Called("a copy of the parameters", copy_.container));
    }
    void part_views() {
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
    }

    // Not by assignment, which may write through the view.
    template <class View>
    static void replace(View& view, View other) noexcept {
        std::destroy_at(&view);
        std::construct_at(&view, std::move(other));
    }

    detail::Copy<C> copy_;
    typename Access<memory_space_t<C>>::template Storage<Scalar> memory_;  // of the views
    std::vector<std::shared_ptr<void>> adapted_;  // what xt::adapt refers to
};

}  // namespace polder
