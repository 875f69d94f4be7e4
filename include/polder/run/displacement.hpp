/// The passes that move a point: y = x + eps.
#pragma once

#include <polder/config.hpp>
#include <polder/engine/reduction.hpp>
#include <polder/run/site.hpp>
#include <polder/run/sums.hpp>

namespace polder::detail {

// y = x + eps, or eps alone.
template <class F, bool alone>
struct Displaced {
    F eps;
    template <class Eps>
    struct At {
        Eps eps;
        template <class V, class... A>
        POLDER_INLINE V operator()(V& y, V x, A&... a) const {
            V const e = eps(a...);
            y = alone ? e : x + e;
            return e;
        }
    };
    template <class T>
    POLDER_HOST_DEVICE auto at(Site<T> const& here) const {
        return At<decltype(eps.at(here))>{eps.at(here)};
    }
};
// An eps that an array holds already.
struct ReadyEps {
    struct At {
        template <class V>
        POLDER_INLINE V operator()(V eps) const {
            return eps;
        }
    };
    template <class T>
    POLDER_HOST_DEVICE At at(Site<T> const&) const {
        return {};
    }
};
// The same, and the sum of eps^2.
template <class F, bool alone, bool conditional>
struct MeasuredDisplacement : RootOfSum {
    Displaced<F, alone> displaced;
    template <class Eps>
    struct At {
        Eps displaced;
        template <class V, class... A>
        POLDER_INLINE Terms<Sum> operator()(V& y, V x, A&... a) const {
            double const eps = displaced(y, x, a...);
            return {Sum{eps * eps}};
        }
    };
    template <class T>
    POLDER_HOST_DEVICE auto at(Site<T> const& here) const {
        At<decltype(displaced.at(here))> const f{displaced.at(here)};
        if constexpr (conditional) {
            return Conditional{f};
        } else {
            return f;
        }
    }
};

}  // namespace polder::detail
