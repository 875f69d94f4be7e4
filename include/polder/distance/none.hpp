/// No reference direction.
#pragma once

#include <array>
#include <cmath>
#include <string_view>
#include <tuple>

#include <polder/config.hpp>
#include <polder/engine/reduction.hpp>
#include <polder/perturb/move.hpp>
#include <polder/run/run.hpp>

namespace polder {

namespace detail {

// v = g: the sum of g^2 and, if the ball's norm is another, the sum of the norm's terms.
template <class P>
struct GradientNorm {
    P perturb;

    template <class W>
    struct At {
        P perturb;
        W weights;
        template <class V, std::size_t k>
        POLDER_INLINE auto operator()(V g, [[maybe_unused]] std::array<V, k> const& reads) const {
            double const value = static_cast<double>(g);
            if constexpr (is_quadratic<P> && !is_weighted<P>) {
                return Terms<Sum>{Sum{value * value}};
            } else {
                // Written out: where a term is copied, GCC 12 does not vectorise the loop.
                using Own = decltype(norm_term(perturb, weights, g, reads));
                return Terms<Sum, Own>{Sum{value * value},
                                       Own{norm_term(perturb, weights, g, reads).value}};
            }
        }
    };
    template <class T>
    POLDER_HOST_DEVICE auto at(Site<T> const& here) const {
        auto const weights = weights_of<T>(perturb, here.adaptive());
        return At<std::remove_const_t<decltype(weights)>>{perturb, weights};
    }
    // The values: ||v|| in the ball's norm, ||g||, ||eps|| where it follows from ||v||, and the cosine between v and g. In a
    // block: ||v|| and the sum of g^2.
    template <class T, std::size_t n>
    POLDER_HOST_DEVICE auto finish(std::array<double, n> const& sums,
                                   [[maybe_unused]] Site<T> const& here) const {
        double const norm = norm_of_sum(perturb, sums[n - 1]);
        if constexpr (is_per_block<P>) {
            return std::array<double, 2>{norm, sums[0]};
        } else {
            return std::array<double, 4>{norm, std::sqrt(sums[0]), length_of(perturb, norm, here),
                                         1};
        }
    }
};

}  // namespace detail

/// v = g: no reference direction is kept.
struct NoDistance {
    static constexpr std::string_view name = "NoDistance";
    void validate() const {}

    template <class R, class State, class Perturb, class Reads>
    auto direction(R& run, State const&, Gradient const& g, Perturb const& perturb,
                   Reads const& reads) const {
        return measured(run, g, perturb, reads, true);
    }
    /// v = a, for an array other than the gradient at x. Only ||eps|| goes to the report.
    template <class R, class Perturb, class Reads>
    auto direction_of(R& run, Gradient const& a, Perturb const& perturb, Reads const& reads) const {
        return measured(run, a, perturb, reads, false);
    }

private:
    template <class R, class Perturb, class Reads>
    static Direction<1> measured(R& run, Gradient const& g, Perturb const& perturb,
                                 Reads const& reads, bool is_gradient) {
        detail::GradientNorm<Perturb> const pass{perturb};
        Direction<1> along{(1 * g).u, {}};
        if constexpr (detail::is_per_block<Perturb>) {
            auto const found = run.reduce_blocks(pass, g, reads);
            along.norm = found[0];
            if (is_gradient) run.found_norm(g, run.root_of_sum(found[1]));
        } else {
            auto const found = run.reduce(pass, g, reads);
            along.norm = found[0];
            run.note(detail::Note::perturbation_norm, found[2]);
            if (is_gradient) {
                run.found_norm(g, found[1]);
                run.note(detail::Note::cosine, found[3]);
            }
        }
        detail::count(run, perturb, along);
        return along;
    }
};

}  // namespace polder
