/// Squared gradients of single samples, added up.
#pragma once

#include <polder/config.hpp>
#include <polder/run/handles.hpp>
#include <polder/run/site.hpp>

namespace polder::detail {

// f = the squared gradients of the samples so far, and one more.
struct AddSquared {
    bool first;
    double weight;
    template <class T>
    struct At {
        bool first;
        T weight;
        template <class V>
        POLDER_INLINE void operator()(V g, V& f) const {
            f = (first ? T(0) : f) + weight * (g * g);
        }
    };
    template <class T>
    POLDER_HOST_DEVICE At<T> at(Site<T> const&) const {
        return {first, static_cast<T>(weight)};
    }
};

// f = weight times the sum over samples k of (grad of the loss of sample k at x)^2.
template <class R>
void add_up_samples(R& run, int samples, double weight, ArrayId f) {
    for (int k = 0; k < samples; ++k) {
        Gradient const g = run.sample(k);
        run.check(g);
        run.map(AddSquared{k == 0, weight}, g, Changed{f});
    }
}

}  // namespace polder::detail
