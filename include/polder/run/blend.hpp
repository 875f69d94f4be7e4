/// Linear combinations of gradients: v = g - d e, and u = c1 s + c2 g + c3 g2.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <tuple>
#include <utility>

#include <polder/config.hpp>
#include <polder/run/handles.hpp>
#include <polder/run/site.hpp>

namespace polder {

namespace detail {

template <class A, std::size_t n, std::size_t m>
std::array<A, n + m> joined(std::array<A, n> a, std::array<A, m> b) {
    return [&]<std::size_t... i, std::size_t... j>(std::index_sequence<i...>,
                                                   std::index_sequence<j...>) {
        return std::array<A, n + m>{std::move(a[i])..., std::move(b[j])...};
    }
    (std::make_index_sequence<n>{}, std::make_index_sequence<m>{});
}

}  // namespace detail

/// sum of by[k] of[k].
template <std::size_t n>
struct Combination {
    std::array<Gradient, n> of;
    std::array<Coefficient, n> by;

    friend Combination operator*(double factor, Combination c) {
        for (auto& coefficient : c.by) coefficient.factor *= factor;
        return c;
    }
    template <std::size_t m>
    friend Combination<n + m> operator+(Combination a, Combination<m> b) {
        return {detail::joined(std::move(a.of), std::move(b.of)), detail::joined(a.by, b.by)};
    }
};

/// Extra work of a pass, which it does because it reads the same arrays anyway. So a method writes what it keeps
/// (Plan::kept) in the pass of the descent. F is a pass (run/site.hpp); its function is called with the values of
/// `arguments`.
template <class F, class... Args>
struct Keep {
    F pass;
    std::tuple<Args...> arguments;
};
struct NoExtra {
    struct Nothing {
        static constexpr bool takes_packs = true;
        template <class... A>
        POLDER_INLINE void operator()(A const&...) const {}
    };
    template <class T>
    POLDER_HOST_DEVICE Nothing at(Site<T> const&) const {
        return {};
    }
};

/// What a method hands to its base optimizer: the gradient u, and what bypasses the base optimizer.
template <std::size_t n, std::size_t m = 0, class Extra = Keep<NoExtra>>
struct Blend {
    Combination<n> u;  ///< goes through the base optimizer
    /// Does not go through its moments: x <- x - learning_rate bypass_weight bypass, besides.
    Combination<m> bypass{};
    double bypass_weight = 1;
    Extra extra{};  ///< extra work of the last pass

    friend Blend operator*(double factor, Blend b) {
        b.u = factor * std::move(b.u);
        b.bypass_weight *= factor;
        return b;
    }
};
template <std::size_t n, std::size_t m, class Extra, std::size_t k>
Blend<n + k, m, Extra> operator+(Blend<n, m, Extra> a, Blend<k> b) {
    return {std::move(a.u) + std::move(b.u), std::move(a.bypass), a.bypass_weight,
            std::move(a.extra)};
}
template <std::size_t n, std::size_t m, class Extra, std::size_t k>
auto operator-(Blend<n, m, Extra> a, Blend<k> b) {
    return std::move(a) + -1.0 * std::move(b);
}

/// coefficient times a gradient. The descent reads the gradient, so its handle has to live until then.
inline Blend<1> operator*(Coefficient c, Gradient const& g) {
    return {.u = {{Gradient(ArrayId(g))}, {c}}};
}
inline Blend<1> operator*(Coefficient c, Gradient&& g) { return {.u = {{std::move(g)}, {c}}}; }
inline Blend<1> operator*(Coefficient c, ArrayId a) { return {.u = {{Gradient(a)}, {c}}}; }

/// `through` goes through the base optimizer, and `bypass` does not: x <- x - learning_rate weight bypass, besides.
template <std::size_t n, std::size_t m>
Blend<n, m> with_bypass(Blend<n> through, double weight, Blend<m> bypass) {
    return {std::move(through.u), std::move(bypass.u), weight, {}};
}
/// b, whose descent also does what `pass` says.
template <std::size_t n, class F, class... Args>
Blend<n, 0, Keep<F, Args...>> keeping(Blend<n> b, F pass, Args... arguments) {
    return {std::move(b.u), {}, 1, {pass, {std::move(arguments)...}}};
}

namespace detail {

// c[0] a[0] + (c[1] a[1] + (...)).
template <class T, std::size_t n>
struct Combined {
    std::array<T, n> c;
    template <class V>
    POLDER_INLINE V operator()(std::array<V, n> const& a) const {
        if constexpr (n == 1) {
            return c[0] * a[0];
        } else if constexpr (n == 2) {
            return c[0] * a[0] + c[1] * a[1];
        } else {
            V sum = c[n - 1] * a[n - 1];
            for (std::size_t k = n - 1; k > 0; --k) sum = c[k - 1] * a[k - 1] + sum;
            return sum;
        }
    }
};

// The coefficients of a combination, all of them times `scale`.
template <std::size_t n>
struct Coefficients {
    std::array<Coefficient, n> by;
    Coefficient scale{};

    template <class T, class S>
    POLDER_HOST_DEVICE Combined<T, n> in(Site<S> const& here) const {
        Combined<T, n> f{};
        double const s = here[scale];
        std::size_t k = 0;
        for (Coefficient const c : by) f.c[k++] = saturated<T>(here[c] * s);
        return f;
    }
    template <class T>
    POLDER_HOST_DEVICE Combined<T, n> at(Site<T> const& here) const {
        return in<T>(here);
    }
};

template <std::size_t n>
std::array<ArrayId, n> arrays_of(std::array<Gradient, n> const& gradients) {
    std::array<ArrayId, n> arrays{};
    std::copy(gradients.begin(), gradients.end(), arrays.begin());
    return arrays;
}

}  // namespace detail

}  // namespace polder
