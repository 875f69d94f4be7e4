/// The passes that make a direction v = g - d e: sums of g and e, the distance d and the norm of v.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <tuple>

#include <polder/closure/report.hpp>
#include <polder/config.hpp>
#include <polder/distance/inner_products.hpp>
#include <polder/engine/reduction.hpp>
#include <polder/perturb/move.hpp>
#include <polder/run/site.hpp>

namespace polder::detail {

// The average of the reference direction: e' = lambda e + (1 - lambda) fed.
template <class Reference>
struct Average {
    Reference reference;
    template <class T>
    struct At {
        T decay, gain;
        template <class V>
        POLDER_INLINE V operator()(V e, V fed) const {
            return decay * e + gain * fed;
        }
        // As extra work of another pass.
        template <class V>
        POLDER_INLINE void operator()(V fed, V e, V& next) const {
            next = decay * e + gain * fed;
        }
    };
    template <class T>
    POLDER_HOST_DEVICE At<T> at(Site<T> const& here) const {
        double const lambda = reference.decay(here.method_steps);
        return {static_cast<T>(lambda), static_cast<T>(1 - lambda)};
    }
};

template <class Measure>
inline constexpr bool has_own_term = requires(Measure const& m) {
    m.term(1.0, 1.0);
};

// The terms of one coordinate: g^2, g e, e^2, then the measure's own term, then the first three times the weight b.
// (Written out, since GCC 12 does not vectorise terms that went through std::tuple_cat.)
template <class Measure, class... Weight>
POLDER_INLINE auto product_terms(Measure const& measure, double g, double e, Weight... b) {
    static_assert(sizeof...(Weight) <= 1);
    if constexpr (has_own_term<Measure>) {
        using Own = decltype(measure.term(g, e));
        if constexpr (sizeof...(b) == 0) {
            return Terms<Sum, Sum, Sum, Own>{Sum{g * g}, Sum{g * e}, Sum{e * e},
                                             measure.term(g, e)};
        } else {
            auto const w = static_cast<double>((b + ...));
            return Terms<Sum, Sum, Sum, Own, Sum, Sum, Sum>{
                Sum{g * g},     Sum{g * e},     Sum{e * e},    measure.term(g, e),
                Sum{w * g * g}, Sum{w * g * e}, Sum{w * e * e}};
        }
    } else if constexpr (sizeof...(b) == 0) {
        return Terms<Sum, Sum, Sum>{Sum{g * g}, Sum{g * e}, Sum{e * e}};
    } else {
        auto const w = static_cast<double>((b + ...));
        return Terms<Sum, Sum, Sum, Sum, Sum, Sum>{Sum{g * g},     Sum{g * e},     Sum{e * e},
                                                   Sum{w * g * g}, Sum{w * g * e}, Sum{w * e * e}};
    }
}

// The one pass that finds d and ||v||. d is not known before it ends, but the norm follows from sums without d:
// ||v||^2 = sum b v^2 = sum b g^2 - 2 d sum b g e + d^2 sum b e^2, b being the weights of the ball's norm.
template <class P, class Reference, class Measure>
struct DirectionTo {
    P perturb;
    Average<Reference> average;
    Measure measure;
    double scale;

    // Whether the norm is a root of squares over all coordinates: only then it follows from those sums.
    static constexpr bool norm_from_products = is_quadratic<P> && !is_per_block<P>;
    static constexpr bool weighted = is_weighted<P> && norm_from_products;

    // The values: d for v; ||v|| in the ball's norm; the cosine between v and g; ||eps|| where it follows from ||v||; whether
    // ||v|| has to be added up again (SecondLook); d for the report; ||g||; and the inner products.
    struct Found {
        static constexpr std::size_t d = 0, norm = 1, cosine = 2, length = 3, again = 4,
                                     distance = 5, gradient_norm = 6, gg = 7, ge = 8, ee = 9,
                                     count = 10;
    };

    template <class W, class A>
    struct At {
        Measure measure;
        W weights;
        A average;
        template <class V, std::size_t k>  // e takes in g
        POLDER_INLINE auto operator()(V g, V e, V& next, std::array<V, k> const& reads) const {
            V const moved = average(e, g);
            next = moved;
            return terms(g, Reference::read_after_update ? moved : e, reads);
        }
        template <class V, std::size_t k>  // e takes in v, later
        POLDER_INLINE auto operator()(V g, V e, std::array<V, k> const& reads) const {
            return terms(g, e, reads);
        }

    private:
        template <class V, std::size_t k>
        POLDER_INLINE auto terms(V g, V e, [[maybe_unused]] std::array<V, k> const& reads) const {
            double const of_g = static_cast<double>(g), of_e = static_cast<double>(e);
            if constexpr (weighted) {
                return product_terms(measure, of_g, of_e, b_of(weights, reads));
            } else {
                return product_terms(measure, of_g, of_e);
            }
        }
    };
    template <class T>
    POLDER_HOST_DEVICE auto at(Site<T> const& here) const {
        auto const weights = weights_of<T>(perturb, here.adaptive());
        auto const of_average = average.at(here);
        return At<std::remove_const_t<decltype(weights)>,
                  std::remove_const_t<decltype(of_average)>>{measure, weights, of_average};
    }

    // If ||g - d e||^2 is less than this share of its summands, it is added up again from the coordinates of g - d e.
    static constexpr double cancelled = 1e-3;

    template <class T, std::size_t n>
    POLDER_HOST_DEVICE std::array<double, Found::count> finish(std::array<double, n> const& sums,
                                                               Site<T> const& here) const {
        InnerProducts const p{sums[0], sums[1], sums[2], here.size};
        double const d = scale * distance(sums, p);
        constexpr std::size_t first = weighted ? n - 3 : 0;
        double const gg = sums[first], ge = sums[first + 1], ee = sums[first + 2];
        double const vv = gg - 2 * d * ge + d * d * ee;
        bool const cancels = vv < cancelled * (gg + d * d * ee);
        double const norm = std::sqrt(vv);
        double const plain = is_weighted<P> || !is_quadratic<P> || is_per_block<P>
                                 ? p.gg - 2 * d * p.ge + d * d * p.ee
                                 : vv;
        double const g_norm = std::sqrt(p.gg);
        return {d,
                norm,
                (p.gg - d * p.ge) / (g_norm * std::sqrt(plain)),
                length_of(perturb, norm, here),
                (!norm_from_products && !is_per_block<P>) || cancels ? 1.0 : 0.0,
                d,
                g_norm,
                p.gg,
                p.ge,
                p.ee};
    }

private:
    template <std::size_t n>
    POLDER_HOST_DEVICE double distance(std::array<double, n> const& sums,
                                       InnerProducts const& p) const {
        if constexpr (has_own_term<Measure>) {
            return measure.distance(decltype(measure.term(1.0, 1.0)){sums[3]}, p);
        } else {
            return measure.distance(p);
        }
    }
};

// The norm of v from its coordinates. Needed where the sums above cancel, and for balls of another norm. Writes d, ||v||, the
// cosine and ||eps|| again. If v is no more than the rounding error of g, it sets d = 0, so that v = g.
template <class P, class First>
struct SecondLook {
    using Found = typename First::Found;
    P perturb;
    std::array<ValueId, Found::count> found;

    template <class T, class W>
    struct At {
        P perturb;
        T d;
        W weights;
        template <class V, std::size_t k>
        POLDER_INLINE auto operator()(V g, V e, std::array<V, k> const& reads) const {
            using Own = decltype(norm_term(perturb, weights, g, reads));
            return Terms<Own, Own>{norm_term(perturb, weights, g - d * e, reads),
                                   norm_term(perturb, weights, g, reads)};
        }
    };
    template <class T>
    POLDER_HOST_DEVICE auto at(Site<T> const& here) const {
        auto const weights = weights_of<T>(perturb, here.adaptive());
        return At<T, std::remove_const_t<decltype(weights)>>{
            perturb, saturated<T>(here[found[Found::d]]), weights};
    }
    template <class T>
    POLDER_HOST_DEVICE std::array<double, 4> finish(std::array<double, 2> const& sums,
                                                    Site<T> const& here) const {
        constexpr double rounding = 16 * static_cast<double>(std::numeric_limits<T>::epsilon());
        double const of_v = norm_of_sum(perturb, sums[0]), of_g = norm_of_sum(perturb, sums[1]);
        bool const is_rounding = of_v <= rounding * of_g;
        double const d = is_rounding ? 0 : here[found[Found::d]];
        double const norm = is_rounding ? of_g : of_v;
        double const gg = here[found[Found::gg]], ge = here[found[Found::ge]],
                     ee = here[found[Found::ee]];
        double const plain = is_weighted<P> || !is_quadratic<P> || is_rounding
                                 ? gg - 2 * d * ge + d * d * ee
                                 : sums[0];
        return {d, norm, (gg - d * ge) / (std::sqrt(gg) * std::sqrt(plain)),
                length_of(perturb, norm, here)};
    }
};

// ||v|| of each block.
template <class P>
struct BlockNorm {
    P perturb;
    ValueId d;
    template <class T, class W>
    struct At {
        P perturb;
        T d;
        W weights;
        template <class V, std::size_t k>
        POLDER_INLINE auto operator()(V g, V e, std::array<V, k> const& reads) const {
            return std::tuple{norm_term(perturb, weights, g - d * e, reads)};
        }
    };
    template <class T>
    POLDER_HOST_DEVICE auto at(Site<T> const& here) const {
        auto const weights = weights_of<T>(perturb, here.adaptive());
        return At<T, std::remove_const_t<decltype(weights)>>{perturb, saturated<T>(here[d]),
                                                             weights};
    }
    template <class T>
    POLDER_HOST_DEVICE std::array<double, 1> finish(std::array<double, 1> const& sums,
                                                    Site<T> const&) const {
        return {norm_of_sum(perturb, sums[0])};
    }
};

}  // namespace polder::detail
