/// From a measure's scalar functions to one reduction.
#pragma once

#include <tuple>

#include <polder/concepts.hpp>
#include <polder/distance/distance_to.hpp>
#include <polder/engine/reduction.hpp>

namespace polder::detail {

// What one coordinate adds: g^2, g e, e^2 and the measure's own term.
template <class Measure>
auto terms(Measure const& measure, double g, double e) {
    if constexpr (measure_of_terms<Measure>) {
        using Own = decltype(measure.term(g, e));
        return Terms<Sum, Sum, Sum, Own>{Sum{g * g}, Sum{g * e}, Sum{e * e}, measure.term(g, e)};
    } else {
        return Terms<Sum, Sum, Sum>{Sum{g * g}, Sum{g * e}, Sum{e * e}};
    }
}

template <class Folded>
InnerProducts inner_products(Folded const& folded, double coordinates) {
    return {std::get<0>(folded).value, std::get<1>(folded).value, std::get<2>(folded).value,
            coordinates};
}

template <class Measure, class Folded>
double distance_of(Measure const& measure, Folded const& folded, InnerProducts const& products) {
    if constexpr (measure_of_terms<Measure>) {
        return measure.distance(std::get<3>(folded), products);
    } else {
        return measure.distance(products);
    }
}

}  // namespace polder::detail
