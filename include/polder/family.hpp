/// The family of the papers: a perturbation, a distance and a mix, as one method.
#pragma once

#include <string>
#include <type_traits>
#include <utility>

#include <polder/concepts.hpp>
#include <polder/distance/none.hpp>
#include <polder/member_name.hpp>
#include <polder/mix/none.hpp>
#include <polder/mix/plus.hpp>
#include <polder/perturb/hooks.hpp>
#include <polder/perturb/move.hpp>
#include <polder/perturb/none.hpp>
#include <polder/policy_name.hpp>
#include <polder/run/blend.hpp>
#include <polder/run/fits.hpp>
#include <polder/run/handles.hpp>
#include <polder/run/run.hpp>

namespace polder {

template <class Perturb, class Distance, class Mix>
struct Family;

namespace detail {

// Whether a mix reads the clean gradient g. Then it has blend(run, s, g) and says reads_clean, else it has blend(run, s).
// Where blend is called the two are checked against each other.
template <class Mix>
inline constexpr bool reads_clean = requires {
    requires Mix::reads_clean;
};
template <class Mix>
inline constexpr int batches_of = [] {
    if constexpr (requires { Mix::batches; }) {
        return Mix::batches;
    } else {
        return 1;
    }
}();
// Gives g away if the mix does not read it, so that its memory can be used again.
template <class Mix>
Gradient spent_by(Gradient& g) {
    return reads_clean<Mix> ? Gradient{} : std::move(g);
}
// Whether a mix, or that inside Plus, asks to keep something: a mix has no state.
template <class Mix>
inline constexpr bool keeps = has_name<Mix, name::Init>();
template <class Of>
inline constexpr bool keeps<Plus<Of>> = keeps<Of>;
template <class R, class Mix>
auto blend(R& run, Mix const& mix, Gradient s, [[maybe_unused]] Gradient g) {
    if constexpr (reads_clean<Mix>) {
        static_assert(
            requires { mix.blend(run, std::move(s), std::move(g)); },
            "polder: a mix that says reads_clean has blend(run, s, g)");
        return mix.blend(run, std::move(s), std::move(g));
    } else {
        static_assert(
            requires { mix.blend(run, std::move(s)); },
            "polder: a mix has blend(run, s), or blend(run, s, g) and says static constexpr bool "
            "reads_clean = true");
        return mix.blend(run, std::move(s));
    }
}
template <class P>
inline constexpr bool takes_samples = requires {
    requires P::samples;
};

// A distance and a mix that reads g need an eps.
template <class P, class D, class M>
inline constexpr bool perturbation_fits =
    !std::is_same_v<P, NoPerturbation> || (std::is_same_v<D, NoDistance> && !reads_clean<M>);
// Several ascents fit to no distance: each ascent follows its own gradient, and there is no average of those.
template <class P, class D>
inline constexpr bool ascents_fit = !requires {
    requires P::ascends_again;
}
|| std::is_same_v<D, NoDistance>;
template <class>
inline constexpr bool is_plus_of_plus = false;
template <class M>
inline constexpr bool is_plus_of_plus<Plus<M>> = is_plus<M>;

// Whether policies fit together.
template <class P, class D, class M>
constexpr bool compose() {
    if constexpr (!perturbation<P> || !distance<D> || !mixing<M>) {
        return false;
    } else {
        return has_radius<P> && layers_fit<P>() && hides_nothing<P>() &&
               wrong_hook_within<P>() == Hook::none &&
               (!has_name<D, name::Init>() || calls_init<D>)&&!keeps<M> &&
               perturbation_fits<P, D, M> && ascents_fit<P, D> && !is_plus_of_plus<M>;
    }
}

// Refuses policies that do not fit together, each with one sentence.
template <class Perturb, class Distance, class Mix>
struct PoliciesFit {
    static_assert(perturbation<Perturb>, "polder: Perturb is a ball with validate() and "
                                         "coefficient(norm), or a policy around one; see "
                                         "docs/writing_a_method.md");
    static_assert(
        distance<Distance>,
        "polder: Distance is NoDistance or DistanceTo<Reference, Measure>, whose Measure needs "
        "validate(), distance(...) and, for a reduction of its own, term(g, e); see "
        "docs/writing_a_method.md");
    static_assert(
        mixing<Mix>,
        "polder: Mix needs validate() and blend(run, s), or blend(run, s, g) and reads_clean; see "
        "docs/writing_a_method.md");
    static_assert(has_radius<Perturb>, "polder: a ball has its radius as a member double rho");
    static_assert(
        sizeof(HooksFit<std::conditional_t<perturbation<Perturb>, Perturb, NoPerturbation>>) > 0);
    static_assert(!has_name<Distance, name::Init>() || calls_init<Distance>,
                  "polder: init of a policy is called as init(plan), and const");
    static_assert(!keeps<Mix>, "polder: a mix keeps nothing from step to step, so its init would "
                               "not be called; write a method");
    static_assert(hides_nothing<Perturb>() || !layers_fit<Perturb>(),
                  "polder: a ball inside another policy has no place, and inside Masked and "
                  "Stochastic no start, filter or after, since they would not be called");
    static_assert(layers_fit<Perturb>(), "polder: Masked and Stochastic go around a ball, and "
                                         "Centralised, SeveralAscents and Relative "
                                         "around a ball or one of these two");
    static_assert(!std::is_same_v<Perturb, NoPerturbation> || !reads_clean<Mix>,
                  "polder: a Mix that reads the clean gradient needs a perturbation");
    static_assert(!std::is_same_v<Perturb, NoPerturbation> || std::is_same_v<Distance, NoDistance>,
                  "polder: a Distance needs a perturbation");
    static_assert(ascents_fit<Perturb, Distance>, "polder: SeveralAscents takes NoDistance");
    static_assert(!is_plus_of_plus<Mix>, "polder: a mix takes one second batch, and not two");
    static constexpr bool asked = true;
};
template <class Perturb, class Distance, class Mix>
inline constexpr bool
    policies_fit<Family<Perturb, Distance, Mix>> = compose<Perturb, Distance, Mix>();

}  // namespace detail

/// One step at parameters x, with batches B1 and, where Mix wants it, B2:
///
///     g   = grad L_B1(x)
///     v   = g - d e,   d = Distance(g, e)
///     y   = x + eps,   eps = Perturb(v)
///     s   = grad L_B1(y)
///     u   = Mix(s, g, grad L_B2(x))
///     x  <- BaseOpt(x, u)
template <class Perturb, class Distance, class Mix>
struct Family {
    static_assert(detail::PoliciesFit<Perturb, Distance, Mix>::asked);

    Perturb perturb{};
    Distance distance{};
    Mix mix{};

    static constexpr int batches = detail::batches_of<Mix>;
    static constexpr bool samples = detail::takes_samples<Perturb>;
    static std::string name() {
        return policy_name<Perturb>() + ", " + policy_name<Distance>() + ", " + policy_name<Mix>();
    }
    void validate() const {
        perturb.validate();
        distance.validate();
        mix.validate();
    }

    static constexpr bool family = true;

    struct State {
        PointId y;
        detail::StateOf<Perturb> perturb;
        detail::StateOf<Distance> distance;
    };
    State init(Plan& plan) const {
        plan.gradients((detail::reads_clean<Mix> ? 2 : 1) + batches - 1);
        return {plan.point(), detail::init_of(perturb, plan), detail::init_of(distance, plan)};
    }
    template <class R>
    void start(R& run, State const& state) const requires requires {
        perturb.start(run, state.perturb);
    }
    { perturb.start(run, state.perturb); }

    /// The mask of a masked ball.
    MaskId mask(State const& state) const requires requires { perturb.array(state.perturb); }
    { return perturb.array(state.perturb).now; }

    /// From x to y = x + eps.
    template <class R>
    Placed place(R& run, State const& state) const {
        auto const before = detail::before_of(run, perturb, state.perturb);
        auto g = run.gradient(B1, run.x());  // g = grad L_B1(x)
        auto const reads = detail::reads_of(run, perturb, state.perturb, before, run.x(), g);
        auto const v = distance.direction(run, state.distance, g, perturb, reads);  // v = g - d e
        detail::place(run, run.x(), state.y, perturb, v, reads);                    // y = x + eps
        detail::after(run, perturb, state.perturb, before, state.y, g);
        return {std::move(g), state.y};
    }
    /// s alone, for methods that go on from there.
    template <class R>
    Gradient ascended(R& run, State const& state) const {
        auto [g, y] = place(run, state);
        return run.gradient(B1, y, std::move(g));
    }
    template <class R, class Base>
    void step(R& run, State const& state, Base const& base) const {
        auto [g, y] = place(run, state);
        auto s = run.gradient(B1, y, detail::spent_by<Mix>(g));        // s = grad L_B1(y)
        auto u = detail::blend(run, mix, std::move(s), std::move(g));  // u = Mix(s, g, ...)
        base.descend(run, std::move(u));                               // x <- BaseOpt(x, u)
    }
};

/// Without a perturbation s = g.
template <class Distance, class Mix>
struct Family<NoPerturbation, Distance, Mix> {
    static_assert(detail::PoliciesFit<NoPerturbation, Distance, Mix>::asked);

    NoPerturbation perturb{};
    Distance distance{};
    Mix mix{};

    static constexpr int batches = detail::batches_of<Mix>;
    static constexpr bool samples = false;
    static std::string name() {
        return policy_name<NoPerturbation>() + ", " + policy_name<Distance>() + ", " +
               policy_name<Mix>();
    }
    void validate() const { mix.validate(); }

    static constexpr bool family = true;

    struct State {};
    State init(Plan& plan) const {
        plan.gradients(batches);
        return {};
    }
    template <class R>
    Gradient ascended(R& run, State const&) const {
        return run.gradient(B1, run.x());
    }
    template <class R, class Base>
    void step(R& run, State const&, Base const& base) const {
        static_assert(
            requires { mix.blend(run, run.gradient(B1, run.x())); },
            "polder: a mix has blend(run, s), or blend(run, s, g) and says static constexpr bool "
            "reads_clean = true");
        base.descend(run, mix.blend(run, run.gradient(B1, run.x())));
    }
};

}  // namespace polder
