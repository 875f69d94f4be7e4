/// What a pass reads and writes at one coordinate: columns of values, and one call of a function with them.
///
/// A pass is a function of one coordinate and a list of columns. For each coordinate all columns are read, the function
/// is called with the values, and then the columns that it may change are written. So the function works with values of a
/// type V and not with memory. V is the scalar, or a pack of scalars.
#pragma once

#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include <polder/config.hpp>
#include <polder/pack.hpp>
#include <polder/run/handles.hpp>

namespace polder::detail {

// The value at an address as a V: as a scalar, or as a pack of the scalars from there on.
template <class V, class U>
POLDER_INLINE V value_at(U const* from) {
#if POLDER_PACKS
    if constexpr (!std::is_arithmetic_v<V>) {
        constexpr std::size_t count = sizeof(V) / sizeof(V{}[0]);
        typedef U Raw __attribute__((vector_size(count * sizeof(U)), aligned(alignof(U))));
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(V{}[0])>, U>) {
            return *reinterpret_cast<Raw const*>(from);
        } else {
            return __builtin_convertvector(*reinterpret_cast<Raw const*>(from), V);
        }
    } else
#endif
        return static_cast<V>(*from);
}
template <class V, class U>
POLDER_INLINE void set_at(U* to, V const& v) {
#if POLDER_PACKS
    if constexpr (!std::is_arithmetic_v<V>) {
        typedef U Raw __attribute__((vector_size(sizeof(V)), aligned(alignof(U))));
        *reinterpret_cast<Raw*>(to) = v;
    } else
#endif
        *to = v;
}

/// The values of an array, from where a piece of it begins.
template <class U>
struct Reads {
    static constexpr bool writes = false;
    U const* from;
    template <class V>
    POLDER_INLINE V get(std::size_t i) const {
        return value_at<V>(from + i);
    }
    template <class V>
    POLDER_INLINE void put(std::size_t, V const&) const {}
};

/// Values that a function sets without reading what was there.
template <class U>
struct Writes {
    static constexpr bool writes = true;
    U* at;
    template <class V>
    POLDER_INLINE V get(std::size_t) const {
        return V{};
    }
    template <class V>
    POLDER_INLINE void put(std::size_t i, V const& v) const {
        set_at(at + i, v);
    }
};

/// Values that a function reads and changes.
template <class U>
struct Changes {
    static constexpr bool writes = true;
    U* at;
    template <class V>
    POLDER_INLINE V get(std::size_t i) const {
        return value_at<V>(at + i);
    }
    template <class V>
    POLDER_INLINE void put(std::size_t i, V const& v) const {
        set_at(at + i, v);
    }
};

// Parameters x, whose old values are saved in `before`. The highest bit of `any` is set if a new value is not finite. X: the column.
template <class X, class V>
struct Saved {
    X x;
    scalar_of<V>* before;
    Bits<V>& any;
    template <class>
    POLDER_INLINE V get(std::size_t i) const {
        return x.template get<V>(i);
    }
    POLDER_INLINE void put(std::size_t i, V const& v) const {
        set_at(before + i, value_at<V>(x.at + i));
        x.put(i, v);
        any |= not_finite(v);
    }
};

/// Columns that a function takes as one std::array of values. Tuple: a std::array or a std::tuple of columns.
template <class Tuple>
struct Several {
    Tuple of;
    static constexpr std::size_t size = std::tuple_size_v<Tuple>;
    static constexpr bool writes = false;
    template <class V>
    POLDER_INLINE std::array<V, size> get([[maybe_unused]] std::size_t i) const {
        return [&]<std::size_t... k>(std::index_sequence<k...>) POLDER_INLINE_LAMBDA {
            return std::array<V, size>{std::get<k>(of).template get<V>(i)...};
        }
        (std::make_index_sequence<size>{});
    }
    template <class V>
    POLDER_INLINE void put([[maybe_unused]] std::size_t i,
                           [[maybe_unused]] std::array<V, size> const& v) const {
        [&]<std::size_t... k>(std::index_sequence<k...>) POLDER_INLINE_LAMBDA {
            (std::get<k>(of).put(i, v[k]), ...);
        }
        (std::make_index_sequence<size>{});
    }
};

/// Calls f at coordinate i: reads all columns, calls f, writes the columns. Returns what f returns.
template <class V, class F, class... Columns>
POLDER_INLINE auto call_at(F const& f, std::size_t i, Columns const&... columns) {
    return [&](auto&&... values) POLDER_INLINE_LAMBDA {
        if constexpr (std::is_void_v<decltype(f(values...))>) {
            f(values...);
            (columns.put(i, values), ...);
        } else {
            auto const result = f(values...);
            (columns.put(i, values), ...);
            return result;
        }
    }(columns.template get<V>(i)...);
}

/// An array of a pass: where(block) says where it begins in a block, and Column how it is read and written.
template <class Column, class Where>
struct Located {
    Where where;
    POLDER_INLINE auto at(std::size_t block, std::size_t within) const {
        return Column{where(block) + within};
    }
};
template <class Tuple>
struct LocatedSeveral {
    Tuple of;
    POLDER_INLINE auto at([[maybe_unused]] std::size_t block,
                          [[maybe_unused]] std::size_t within) const {
        return [&]<std::size_t... k>(std::index_sequence<k...>) {
            using Columns = std::tuple<decltype(std::get<k>(of).at(block, within))...>;
            return Several<Columns>{Columns{std::get<k>(of).at(block, within)...}};
        }
        (std::make_index_sequence<std::tuple_size_v<Tuple>>{});
    }
};

/// Makes located arrays of the arguments of a pass. arrays(ArrayId) and arrays(MaskId) say where the values are.
template <class Arrays, class A>
auto locate(Arrays const& arrays, A const& argument) {
    auto const as = [&]<class Where>(Where where, auto column) {
        return Located<typename decltype(column)::type, Where>{where};
    };
    using U = std::remove_cvref_t<A>;
    if constexpr (requires { arrays(argument); }) {
        auto const where = arrays(argument);
        using S = std::remove_pointer_t<decltype(where(0))>;
        return as(where, std::type_identity<Reads<S>>{});
    } else if constexpr (requires { arrays(argument.array); }) {
        auto const where = arrays(argument.array);
        using S = std::remove_pointer_t<decltype(where(0))>;
        if constexpr (std::is_same_v<U, Written<decltype(argument.array)>>) {
            return as(where, std::type_identity<Writes<S>>{});
        } else {
            return as(where, std::type_identity<Changes<S>>{});
        }
    } else {
        return [&]<std::size_t... k>(std::index_sequence<k...>) {
            using Tuple = std::tuple<decltype(locate(arrays, std::get<k>(argument)))...>;
            return LocatedSeveral<Tuple>{Tuple{locate(arrays, std::get<k>(argument))...}};
        }
        (std::make_index_sequence<std::tuple_size_v<U>>{});
    }
}

}  // namespace polder::detail
