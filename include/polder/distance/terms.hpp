/// From a measure's scalar functions to one reduction.
#pragma once

#include <cstddef>
#include <tuple>

#include <polder/concepts.hpp>
#include <polder/config.hpp>
#include <polder/distance/distance_to.hpp>
#include <polder/engine/reduction.hpp>

namespace polder::detail {

// The weights of a ball that has none: never called.
struct NoWeights {
    template <class T>
    POLDER_HOST_DEVICE double b(T, T) const {
        return 1;
    }
};

// What one coordinate adds: g^2, g e, e^2, the measure's own term, and the first three times a weight.
// Written out, since GCC 12 does not vectorise terms that went through std::tuple_cat.
template <class Measure, class... Weight>
POLDER_HOST_DEVICE auto terms(Measure const& measure, double g, double e, Weight... b) {
    static_assert(sizeof...(Weight) <= 1);
    if constexpr (measure_of_terms<Measure>) {
        using Own = decltype(measure.term(g, e));
        if constexpr (sizeof...(b) == 0) {
            return Terms<Sum, Sum, Sum, Own>{Sum{g * g}, Sum{g * e}, Sum{e * e},
                                             measure.term(g, e)};
        } else {
            const auto w = static_cast<double>((b + ...));
            return Terms<Sum, Sum, Sum, Own, Sum, Sum, Sum>{
                Sum{g * g},     Sum{g * e},     Sum{e * e},    measure.term(g, e),
                Sum{w * g * g}, Sum{w * g * e}, Sum{w * e * e}};
        }
    } else if constexpr (sizeof...(b) == 0) {
        return Terms<Sum, Sum, Sum>{Sum{g * g}, Sum{g * e}, Sum{e * e}};
    } else {
        const auto w = static_cast<double>((b + ...));
        return Terms<Sum, Sum, Sum, Sum, Sum, Sum>{Sum{g * g},     Sum{g * e},     Sum{e * e},
                                                   Sum{w * g * g}, Sum{w * g * e}, Sum{w * e * e}};
    }
}

template <class Folded>
POLDER_HOST_DEVICE InnerProducts inner_products(Folded const& folded, double coordinates) {
    return {std::get<0>(folded).value, std::get<1>(folded).value, std::get<2>(folded).value,
            coordinates};
}

// The products with weights, or those without where there are none.
template <bool weighted, class Folded>
POLDER_HOST_DEVICE InnerProducts weighted_products(Folded const& folded,
                                                   InnerProducts const& plain) {
    if constexpr (weighted) {
        constexpr std::size_t last = std::tuple_size_v<Folded> - 1;
        return {std::get<last - 2>(folded).value, std::get<last - 1>(folded).value,
                std::get<last>(folded).value, plain.coordinates};
    } else {
        return plain;
    }
}

template <class Measure, class Folded>
POLDER_HOST_DEVICE double distance_of(Measure const& measure, Folded const& folded,
                                      InnerProducts const& products) {
    if constexpr (measure_of_terms<Measure>) {
        return measure.distance(std::get<3>(folded), products);
    } else {
        return measure.distance(products);
    }
}

}  // namespace polder::detail
