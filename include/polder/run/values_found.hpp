/// How many values a reduction finds.
#pragma once

#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include <polder/engine/reduction.hpp>
#include <polder/run/site.hpp>

namespace polder::detail {

// The type in which the function of a coordinate gets one argument of a pass.
template <class T, class A>
struct ValueOf {
    using type = T;
};
template <class T, class A, std::size_t n>
struct ValueOf<T, std::array<A, n>> {
    using type = std::array<T, n>;
};
template <class T, class... A>
struct ValueOf<T, std::tuple<A...>> {
    using type = std::array<T, sizeof...(A)>;
};

// The number of values that a reduction finds.
template <class T, class F, class... Args>
constexpr std::size_t values_found() {
    using At = decltype(std::declval<F const&>().at(std::declval<Site<T> const&>()));
    using Terms = std::remove_cvref_t<decltype(std::declval<At const&>()(
        std::declval<typename ValueOf<T, Args>::type&>()...))>;
    static_assert(
        requires { std::tuple_size<Terms>::value; },
        "polder: the function of a reduction returns polder::Terms<...>");
    using Found =
        decltype(finished(std::declval<F const&>(), std::array<double, std::tuple_size_v<Terms>>{},
                          std::declval<Site<T> const&>()));
    return std::tuple_size_v<Found>;
}

}  // namespace polder::detail
