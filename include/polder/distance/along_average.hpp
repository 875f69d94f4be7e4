/// The ascent along an average of gradients.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>

#include <polder/config.hpp>
#include <polder/distance/direction.hpp>
#include <polder/distance/none.hpp>
#include <polder/engine/reduction.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/perturb/move.hpp>
#include <polder/run/run.hpp>

namespace polder {

/// v = e,   e_t = (1 - theta) e_{t-1} + theta g_t,   e_0 = g_0.
/// So the noise of single batches is averaged out of the direction. theta = 1 is SAM.
/// Li and Giannakis 2023 (VaSSO); BingcongLi/VaSSO.
struct AlongAverage {
    double theta = 0.9;  ///< weight of the new gradient, in [0, 1]

    static constexpr std::string_view name = "AlongAverage";
    void validate() const { require_fraction("theta", theta); }

    struct State {
        Succession e;
    };
    State init(Plan& plan) const { return {plan.succession("reference")}; }

    template <class R, class Perturb, class Reads>
    auto direction(R& run, State const& state, Gradient const& g, Perturb const& perturb,
                   Reads const& reads) const {
        ArrayId const e = run.next(state.e);
        auto const found =
            run.reduce(Pass<Perturb>{perturb, theta}, g, state.e.now, Written{e}, reads);
        run.found_norm(g, found[1]);
        run.note(detail::Note::perturbation_norm, found[2]);
        run.note(detail::Note::cosine, found[3]);
        Direction<1> along{(1 * e).u, found[0]};
        if constexpr (detail::is_per_block<Perturb>) {
            along.norm = run.reduce_blocks(detail::GradientNorm<Perturb>{perturb}, e, reads)[0];
        }
        detail::count(run, perturb, along);
        return along;
    }

    // The passes. (Public, since nvcc accepts no private type in a kernel.)

    // The sums of g^2, g e, e^2 and of the terms of ||e|| in the ball's norm.
    template <class P>
    struct Pass {
        P perturb;
        double theta;
        template <class T, class W>
        struct At {
            P perturb;
            W weights;
            T decay, gain;
            template <class V, std::size_t k>
            POLDER_INLINE auto operator()(V g, V e, V& next, std::array<V, k> const& reads) const {
                next = decay * e + gain * g;
                double const a = static_cast<double>(g), b = static_cast<double>(next);
                using Own = decltype(detail::norm_term(perturb, weights, next, reads));
                return Terms<Sum, Sum, Sum, Own>{
                    Sum{a * a}, Sum{a * b}, Sum{b * b},
                    Own{detail::norm_term(perturb, weights, next, reads).value}};
            }
        };
        template <class T>
        POLDER_HOST_DEVICE auto at(Site<T> const& here) const {
            double const own = here.method_steps == 0 ? 1 : theta;
            auto const weights = detail::weights_of<T>(perturb, here.adaptive());
            return At<T, std::remove_const_t<decltype(weights)>>{perturb, weights, T(1 - own),
                                                                 T(own)};
        }
        template <class T>
        POLDER_HOST_DEVICE std::array<double, 4> finish(std::array<double, 4> const& sums,
                                                        Site<T> const& here) const {
            double const norm = detail::norm_of_sum(perturb, sums[3]);
            return {norm, std::sqrt(sums[0]), detail::length_of(perturb, norm, here),
                    sums[1] / (std::sqrt(sums[0]) * std::sqrt(sums[2]))};
        }
    };
};

}  // namespace polder
