/// A ball whose move has no mean along the rows of a matrix.
#pragma once

#include <string>
#include <tuple>
#include <type_traits>

#include <polder/perturb/move.hpp>
#include <polder/policy_name.hpp>

namespace polder {

/// eps = eps_Ball minus the mean of each row, in blocks that are matrices (weights of layers: a row is an output). In
/// blocks that are vectors eps = eps_Ball. The means are subtracted after eps_Ball is scaled to the radius, so ||eps|| may
/// be less. A tensor of more dimensions is taken as a matrix with as many rows as its first extent.
/// Gradient centralisation of the ascent, Yong et al. 2020; kozistr/pytorch_optimizer, SAM(use_gc=True).
template <class Ball>
struct Centralised : Ball {
    static constexpr int layer = 2;  // around a ball, or one of layer 1
    using Inner = Ball;
    static std::string name() { return "Centralised<" + policy_name<Ball>() + ">"; }

    template <class R, class Along, class Reads>
    void place(R& run, ArrayId x, PointId y, Along const& along, Reads const& reads) const {
        if (!run.eps_alone()) run.about_to_write(y);
        auto const pass = detail::move_of(static_cast<Ball const&>(*this), along);
        std::apply(
            [&](auto const&... more) {
                run.map(detail::Displaced<std::remove_const_t<decltype(pass)>, true>{pass},
                        Written{y.array}, x, along.v.of, reads, more...);
            },
            along.extra.arguments);
        run.centralise(y);
        run.note(detail::Note::perturbation_norm,
                 run.template displace_measured<false>(y, x, detail::ReadyEps{}, y));
    }
};
template <class Ball>
Centralised(Ball) -> Centralised<Ball>;

}  // namespace polder
