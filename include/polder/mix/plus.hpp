/// The mixed loss of two batches: the "+" of SAM+, FSAM+, BSAM+.
#pragma once

#include <string>
#include <utility>

#include <polder/hyper_parameter.hpp>
#include <polder/mix/none.hpp>
#include <polder/policy_name.hpp>
#include <polder/run/blend.hpp>
#include <polder/run/run.hpp>
#include <polder/run/usage.hpp>

namespace polder {

template <class Of>
struct Plus;

namespace detail {

template <class>
inline constexpr bool is_plus = false;
template <class Of>
inline constexpr bool is_plus<Plus<Of>> = true;

}  // namespace detail

/// u = kappa u_Of + (1 - kappa) g2,   g2 = grad L_B2(x).
/// Of is a mix, which makes u_Of of the gradients s and g of the first batch, or a whole method, such as LookSAM's, which
/// hands a blend of gradients to the base optimizer. Perturbation and averages use the first batch only.
/// Xu et al. (BSAM), eq. (13), with u_Of = s = grad L_B1(x + eps).
template <class Of>
struct Plus {
    double kappa = 0.6;  ///< weight of the first batch, in [0, 1]
    Of first{};

    static constexpr int batches = 2;
    static constexpr bool reads_clean = requires { requires Of::reads_clean; };
    static std::string name() { return "Plus<" + policy_name<Of>() + ">"; }
    void validate() const {
        require_fraction("kappa", kappa);
        first.validate();
    }

    // Of a mix:
    template <class R>
    auto blend(R& run, Gradient s) const requires requires {
        first.blend(run, std::move(s));
    }
    { return with_second(run, first.blend(run, std::move(s))); }
    template <class R>
    auto blend(R& run, Gradient s, Gradient g) const requires requires {
        first.blend(run, std::move(s), std::move(g));
    }
    { return with_second(run, first.blend(run, std::move(s), std::move(g))); }

    // Of a method:
    static constexpr bool samples = requires { requires Of::samples; };
    auto init(Plan& plan) const requires requires { first.init(plan); }
    {
        static_assert(!detail::is_plus<Of>, "polder: a method takes one second batch, and not two");
        static_assert(detail::is_plus<Of> || detail::batches_asked<Of> == 1,
                      "polder: Plus goes around a method of one batch");
        plan.one_gradient_more();
        return first.init(plan);
    }
    template <class Base>
    void validate_over(Base const& base) const requires requires {
        first.validate_over(base);
    }
    { first.validate_over(base); }
    template <class R, class State>
    void start(R& run, State const& state) const requires requires {
        first.start(run, state);
    }
    { first.start(run, state); }
    template <class State>
    MaskId mask(State const& state) const requires requires {
        first.mask(state);
    }
    { return first.mask(state); }
    template <class R, class State>
    Placed place(R& run, State const& state) const requires requires {
        first.place(run, state);
    }
    { return first.place(run, state); }
    template <class R, class State, class Base>
    Placed place(R& run, State const& state, Base const& base) const requires requires {
        first.place(run, state, base);
    }
    { return first.place(run, state, base); }
    template <class R, class State, class Base>
    void step(R& run, State const& state, Base const& base) const {
        first.step(run, state, WithSecond<Base>{*this, base});
    }
    template <class R, class State, class Base>
    void rest(R& run, State const& state, Base const& base) const requires requires {
        first.rest(run, state, base);
    }
    { first.rest(run, state, WithSecond<Base>{*this, base}); }

private:
    template <class R, class B>
    auto with_second(R& run, B u) const {
        return kappa * std::move(u) + (1 - kappa) * run.gradient(B2, run.x());
    }
    // The base optimizer, as a method over one batch sees it: it gets the u of both.
    template <class Base>
    struct WithSecond {
        Plus const& plus;
        Base const& base;
        template <class R, class B, class... Rate>
        void descend(R& run, B u, Rate... rate) const {
            base.descend(run, plus.with_second(run, std::move(u)), rate...);
        }
        ArrayId first_moment() const { return base.first_moment(); }
        // A gradient at x has no part in a descent from another point.
        template <class R, class... A>
        void descend_elsewhere(R&, A const&...) const {
            static_assert(sizeof(R) == 0, "polder: Plus goes around a method whose step is one "
                                          "descent from x, and not several or a trial");
        }
        template <class R, class... A>
        void descend_again(R&, A const&...) const {}
        template <class R, class... A>
        void trial(R& run, A const&... a) const {
            descend_elsewhere(run, a...);
        }
    };
};
template <class Of>
using TwoBatchesOf = Plus<Of>;

/// u = kappa s + (1 - kappa) g2.
using TwoBatches = Plus<NoMix>;

}  // namespace polder
