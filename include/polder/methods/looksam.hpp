/// LookSAM, SAM on every k-th step with its effect used again in between.
#pragma once

#include <array>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <string>
#include <utility>

#include <polder/concepts.hpp>
#include <polder/config.hpp>
#include <polder/distance/none.hpp>
#include <polder/family.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/mix/none.hpp>
#include <polder/optimizer.hpp>
#include <polder/perturb/euclidean_ball.hpp>
#include <polder/run/sums.hpp>

namespace polder {

/// On steps of the method (see Interval) u = s, and k = s - <s, n> n,   n = g / ||g||, is kept.
/// On the others                       u = g + alpha ||g|| / ||k|| k.
/// g = grad L_B(x), s = grad L_B(x + eps). Norms and products run over all coordinates, or over each block.
/// Liu et al. 2022 (LookSAM), Algorithm 1; over each block: kozistr/pytorch_optimizer.
template <bool over_blocks>
struct ReusedAscentOver {
    double alpha = 0.7;  ///< weight of k, >= 0

    double norm_guard = over_blocks ? 0 : 1e-12;     ///< added to ||g|| where it divides, >= 0
    double kept_guard = over_blocks ? 1e-8 : 1e-12;  ///< added to ||k|| where it divides, >= 0

    static constexpr std::string_view name = over_blocks ? "ReusedAscentPerBlock" : "ReusedAscent";
    static constexpr bool per_block = over_blocks;

    void validate() const {
        require_non_negative("alpha", alpha);
        require_non_negative("norm_guard", norm_guard);
        require_non_negative("kept_guard", kept_guard);
    }
};
using ReusedAscent = ReusedAscentOver<false>;
using ReusedAscentPerBlock = ReusedAscentOver<true>;

/// The method of LookSAM: SAM with the ball Perturb on some steps, whose effect Reuse uses again on the others.
template <class Perturb, class Reuse>
struct LookingAscent {
    Family<Perturb, NoDistance, NoMix> ascent{};
    Reuse reuse{};

    static std::string name() {
        return "LookingAscent<" + policy_name<Perturb>() + ", " + policy_name<Reuse>() + ">";
    }
    void validate() const {
        ascent.validate();
        reuse.validate();
    }

    struct State {
        typename Family<Perturb, NoDistance, NoMix>::State ascent;
        ArrayId k;
    };
    State init(Plan& plan) const {
        State const state{ascent.init(plan), plan.kept("kept")};
        plan.gradients(2);
        return state;
    }
    template <class R>
    Placed place(R& run, State const& state) const {
        return ascent.place(run, state.ascent);
    }
    template <class R, class Base>
    void step(R& run, State const& state, Base const& base) const {
        auto [g, y] = place(run, state);
        auto s = run.gradient(B1, y);
        auto const norm = reduce(run, Norm{{}, reuse.norm_guard}, g)[0];
        auto const along = reduce(run, Along{norm}, s, g)[0];
        ArrayId const of_s = s;
        base.descend(run, keeping(1 * std::move(s), Across{norm, along}, Written{state.k}, of_s,
                                  std::move(g)));
    }
    template <class R, class Base>
    void rest(R& run, State const& state, Base const& base) const {
        auto g = run.gradient(B1, run.x());
        auto const c = reduce(run, Weight{reuse.alpha, reuse.kept_guard}, g, state.k);
        if constexpr (!Reuse::per_block) run.found_norm(g, c[1]);
        base.descend(run, 1 * std::move(g) + Coefficient(c[0]) * state.k);
    }

    // The passes. (Public, since nvcc accepts no private type in a kernel.)

    template <class R, class F, class... A>
    static auto reduce(R& run, F const& f, A const&... a) {
        if constexpr (Reuse::per_block) {
            return run.reduce_blocks(f, a...);
        } else {
            return run.reduce(f, a...);
        }
    }

    // The divisor in n = g / ||g||; 1 if g is 0.
    struct Norm : detail::SumOfSquares {
        double guard;
        template <class T>
        POLDER_HOST_DEVICE std::array<double, 1> finish(std::array<double, 1> const& sums,
                                                        Site<T> const&) const {
            double const guarded = std::sqrt(sums[0]) + guard;
            return {guarded > 0 ? guarded : 1};
        }
    };
    // <s, n>.
    struct Along {
        ValueId norm;
        struct At {
            double norm;
            template <class V>
            POLDER_INLINE Terms<Sum> operator()(V s, V g) const {
                return {Sum{static_cast<double>(s) * (static_cast<double>(g) / norm)}};
            }
        };
        template <class T>
        POLDER_HOST_DEVICE At at(Site<T> const& here) const {
            return {here[norm]};
        }
    };
    // k = s - <s, n> n, in double, since s and n are nearly parallel.
    struct Across {
        ValueId norm, along;
        template <class T>
        struct At {
            double norm, along;
            template <class V>
            POLDER_INLINE void operator()(V& k, V s, V g) const {
                k = T(static_cast<double>(s) - along * (static_cast<double>(g) / norm));
            }
        };
        template <class T>
        POLDER_HOST_DEVICE At<T> at(Site<T> const& here) const {
            return {here[norm], here[along]};
        }
    };
    // The weight of k, and ||g||.
    struct Weight {
        double alpha, guard;
        struct At {
            template <class V>
            POLDER_INLINE Terms<Sum, Sum> operator()(V g, V k) const {
                double const a = static_cast<double>(g), b = static_cast<double>(k);
                return {Sum{a * a}, Sum{b * b}};
            }
        };
        template <class T>
        POLDER_HOST_DEVICE At at(Site<T> const&) const {
            return {};
        }
        template <class T>
        POLDER_HOST_DEVICE std::array<double, 2> finish(std::array<double, 2> const& sums,
                                                        Site<T> const&) const {
            double const norm = std::sqrt(sums[1]) + guard;
            return {norm > 0 ? alpha * std::sqrt(sums[0]) / norm : 0, std::sqrt(sums[0])};
        }
    };
};

/// Hyper-parameters of LookSAM.
struct LookSAMOptions {
    double rho = 0.1;           ///< radius of the ball, >= 0
    std::uint64_t every = 10;   ///< steps from one ascent to the next, >= 1; 1 is SAM
    double alpha = 0.7;         ///< weight of what is used again, >= 0
    double norm_guard = 1e-12;  ///< added to ||g||, >= 0
};

/// t mod every = 0:  a step of SAM, and k = s - <s, n> n,   n = g / ||g||, is kept;
/// otherwise         x <- BaseOpt(x, g + alpha ||g|| / ||k|| k).
/// g = grad L_B(x), s = grad L_B(x + eps); norms and products over all coordinates, or, with
/// ReusedAscentPerBlock, over each block (k alone; ||g|| of the ascent runs over all).
/// Liu et al. 2022, Algorithm 1. 1 + 1 / every evaluations per step, all on B.
///
///     polder::LookSAM optimizer{polder::Adam{}, {.rho = 0.1, .every = 5, .alpha = 0.7}};
template <class BaseOpt, class Reuse = ReusedAscent>
struct LookSAM : Optimizer<LookingAscent<EuclideanBall, Reuse>, BaseOpt> {
    LookSAM() requires std::default_initializable<BaseOpt> : LookSAM(BaseOpt{}) {}
    LookSAM(BaseOpt base, detail::NumberWithoutBraces) : LookSAM(base) {}
    LookSAM(detail::NoSuchOption<BaseOpt>, ...) = delete;  // none of these options
    explicit LookSAM(BaseOpt base, LookSAMOptions options = {})
        : Optimizer<LookingAscent<EuclideanBall, Reuse>, BaseOpt>(
              {{{options.rho, options.norm_guard}}, {options.alpha}}, base) {
        this->set_interval({.every = options.every});
    }
};
template <class BaseOpt>
LookSAM(BaseOpt, ...) -> LookSAM<BaseOpt>;

}  // namespace polder
