/// Packs: a few scalars side by side, which a rule takes in the place of one.
///
/// Compilers do not vectorise a loop that contains a square root, unless they are told that std::sqrt does not set errno
/// (-fno-math-errno). So the engine hands packs to a rule that says that it takes them:
///
///     static constexpr bool takes_packs = true;
///
/// Such a rule is a template of its value type V. It uses +, -, *, /, comparisons with ?:, and square_root(V).
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <polder/config.hpp>

#if defined(__GNUC__) && !defined(__CUDACC__)
#define POLDER_PACKS 1
#if defined(__aarch64__)
#include <arm_neon.h>
#endif
#else
#define POLDER_PACKS 0
#endif
#if !defined(__has_builtin)
#define __has_builtin(name) 0
#endif

namespace polder {

namespace detail {

#if POLDER_PACKS
// As many bytes as a vector register holds. (GCC 12 moves longer vectors through memory.)
#if defined(__AVX__)
inline constexpr std::size_t pack_bytes = 32;
#else
inline constexpr std::size_t pack_bytes = 16;
#endif
template <class T>
struct PackOf {
    typedef T type __attribute__((vector_size(pack_bytes)));
};
#else
template <class T>
struct PackOf {
    using type = T;
};
#endif
template <class T>
using Pack = typename PackOf<T>::type;
template <class T>
inline constexpr std::size_t packed = sizeof(Pack<T>) / sizeof(T);  // scalars

// Unsigned integers as wide as V, one for each scalar.
template <class V>
struct BitsOf {
    using Int = std::conditional_t<sizeof(V{}[0]) == 4, std::uint32_t, std::uint64_t>;
    typedef Int type __attribute__((vector_size(sizeof(V))));
};
template <>
struct BitsOf<float> {
    using type = std::uint32_t;
};
template <>
struct BitsOf<double> {
    using type = std::uint64_t;
};
template <class V>
struct ScalarOf {
    using type = std::remove_cvref_t<decltype(V{}[0])>;
};
template <>
struct ScalarOf<float> {
    using type = float;
};
template <>
struct ScalarOf<double> {
    using type = double;
};
template <class V>
using scalar_of = typename ScalarOf<V>::type;
template <class V>
using Bits = typename BitsOf<V>::type;
template <class V>
POLDER_INLINE Bits<V> bits_of(V v) {
    if constexpr (std::is_arithmetic_v<V>) {
        return std::bit_cast<Bits<V>>(v);
    } else {
        return (Bits<V>)v;
    }
}
// Bits of which the highest is set if v is not finite: infinity and not-a-number alone have all bits of the exponent set, so
// that adding the lowest of them carries to the highest.
template <class V>
POLDER_INLINE Bits<V> not_finite(V v) {
    using T = scalar_of<V>;
    constexpr Bits<T> exponent = std::bit_cast<Bits<T>>(std::numeric_limits<T>::infinity());
    constexpr Bits<T> magnitude = std::numeric_limits<Bits<T>>::max() >> 1;
    return (bits_of(v) & magnitude) + (exponent & -exponent);
}
// Whether the highest bit is set: of one integer, or of any of a pack.
template <class B>
POLDER_INLINE bool highest_bit(B bits) {
    if constexpr (std::is_integral_v<B>) {
        return bits >> (std::numeric_limits<B>::digits - 1) != 0;
    } else {
        bool any = false;
        for (std::size_t k = 0; k < sizeof(B) / sizeof(bits[0]); ++k)
            any |= highest_bit(std::remove_cvref_t<decltype(bits[0])>(bits[k]));
        return any;
    }
}

// Whether a function of a coordinate works with packs.
template <class F>
inline constexpr bool takes_packs = false;
template <class F>
requires requires { F::takes_packs; }
inline constexpr bool takes_packs<F> = F::takes_packs;

}  // namespace detail

/// The square root of a scalar, or of each scalar of a pack. It does not set errno.
template <class V>
POLDER_INLINE V square_root(V v) {
#if POLDER_PACKS
#if __has_builtin(__builtin_elementwise_sqrt)
    return __builtin_elementwise_sqrt(v);
#else
    if constexpr (std::is_arithmetic_v<V>) {
        return std::sqrt(v);
    } else {
        using T = std::remove_cvref_t<decltype(v[0])>;
        constexpr bool single = std::is_same_v<T, float>;
#if defined(__AVX__) && __has_builtin(__builtin_ia32_sqrtps256)
        if constexpr (single)
            return __builtin_ia32_sqrtps256(v);
        else
            return __builtin_ia32_sqrtpd256(v);
#elif defined(__SSE2__) && __has_builtin(__builtin_ia32_sqrtps)
        if constexpr (single)
            return __builtin_ia32_sqrtps(v);
        else
            return __builtin_ia32_sqrtpd(v);
#elif defined(__aarch64__)
        if constexpr (single)
            return (V)vsqrtq_f32((float32x4_t)v);
        else
            return (V)vsqrtq_f64((float64x2_t)v);
#else
        for (std::size_t k = 0; k < sizeof(V) / sizeof(T); ++k) v[k] = std::sqrt(v[k]);
        return v;
#endif
    }
#endif
#else
    return std::sqrt(v);
#endif
}

}  // namespace polder
