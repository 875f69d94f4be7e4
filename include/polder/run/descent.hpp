/// Descents: how a method hands u to its base optimizer.
///
/// A base optimizer is a rule of one coordinate:
///
///     static constexpr std::array<std::string_view, n> state_names{...};   // one for each array of its state
///     template <class T> auto rule(double k) const;                        // in its step k = 1, 2, ...
///
/// and, where one of these arrays is the first moment, an average of u, its place (methods may ascend along it):
///
///     static constexpr int first_moment = 0;                               // -1: none
///
/// where rule<T>(k) returns a struct with  V operator()(V x, V u, std::array<V, n>& state) const,  which returns the new x.
/// V is T, or a pack of T. Where options decide how much state there is, the base optimizer also has with_form(f): it calls
/// f(form) with a base optimizer of the same hyper-parameters, whose state_names and rule are those of the options.
///
/// Or it has a step of its own over the run, for example to take norms of the update (base/lamb.hpp):
///
///     State init(Plan&) const;
///     void step(run, state, descent) const;
#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <polder/closure/clipping.hpp>
#include <polder/config.hpp>
#include <polder/run/blend.hpp>
#include <polder/run/descent_passes.hpp>
#include <polder/run/run.hpp>

namespace polder {

namespace detail {

template <class Base>
concept step_of_its_own = requires(Base const& base, Plan& plan) {
    base.init(plan);
};

// Throws where a hyper-parameter is out of range for parameters of scalar T.
template <class T, class Base>
void validate_as([[maybe_unused]] Base const& base) {
    if constexpr (requires { base.template validate_as<T>(); }) base.template validate_as<T>();
}

// f(form): see above.
template <class Base, class F>
POLDER_HOST_DEVICE decltype(auto) with_form(Base const& base, F const& f) {
    if constexpr (requires { base.with_form(f); }) {
        return base.with_form(f);
    } else {
        return f(base);
    }
}

}  // namespace detail

/// One descent, as a base optimizer with a step of its own gets it: from `from` to `to`, with a clipped u.
template <Stage stage_, std::size_t n, std::size_t m, class Extra>
struct DescentOf {
    static constexpr Stage stage = stage_;
    ArrayId from, to;
    detail::Update<n> update;  ///< the pass of u, for the values of `gradients`
    std::array<ArrayId, n> gradients;
    detail::Bypass<m> bypass;  ///< what bypasses the moments, for the values of `bypass_gradients`
    std::array<ArrayId, m> bypass_gradients;
    Extra const& extra;  ///< extra work of the last pass
    double ahead;        ///< descents of this step so far
    double rate;         ///< what the learning rate is multiplied with
};

namespace detail {

// The place of the first moment in the state of a rule; -1: there is none.
template <class Form>
inline constexpr int first_moment_of = [] {
    if constexpr (requires { Form::first_moment; }) {
        static_assert(Form::first_moment <
                          static_cast<int>(std::tuple_size_v<decltype(Form::state_names)>),
                      "polder: first_moment is a place in state_names");
        return Form::first_moment;
    } else {
        return -1;
    }
}();
template <class Base>
bool has_first_moment(Base const& base) {
    if constexpr (requires { base.has_first_moment(); }) {
        return base.has_first_moment();
    } else if constexpr (step_of_its_own<Base>) {
        return requires { base.init(std::declval<Plan&>()).first_moment(); };
    } else {
        return with_form(base, []<class Form>(Form const&) {
            return first_moment_of<std::remove_cvref_t<Form>> >= 0;
        });
    }
}

// The state of a base optimizer that is a rule.
struct RuleState {
    static constexpr std::size_t most = 4;  // arrays
    std::array<Succession, most> arrays{};
    std::size_t count = 0;
    int first = -1;  // the place of the first moment, if there is one

    ArrayId first_moment() const { return arrays.at(static_cast<std::size_t>(first)).now; }

    template <class Base>
    RuleState(Base const& base, Plan& plan) {
        with_form(base, [&]<class Form>(Form const& form) {
            static_assert(
                std::tuple_size_v<decltype(Form::state_names)> <= most,
                "polder: a base optimizer that is a rule has at most four arrays of state");
            double initial = 0;
            if constexpr (requires { form.initial_state(); }) initial = form.initial_state();
            for (std::string_view name : Form::state_names) add(name, initial, plan);
            first = first_moment_of<std::remove_cvref_t<Form>>;
        });
    }

    template <class R, class Base, Stage stage, std::size_t n, std::size_t m, class F, class... A>
    void step(R& run, Base const& base, DescentOf<stage, n, m, Keep<F, A...>> const& d) const {
        with_form(base, [&]<class Form>(Form const& form) {
            constexpr std::size_t states = std::tuple_size_v<decltype(Form::state_names)>;
            if constexpr (stage != Stage::last && states > 0) require_next();
            RuleDescent<Form, n, m, F, stage> const pass{form,         d.update, d.bypass,
                                                         d.extra.pass, d.ahead,  d.rate};
            std::array<ArrayId, states> now{}, next{};
            for (std::size_t k = 0; k != states; ++k) {
                now[k] = arrays[k].now;
                next[k] = stage == Stage::elsewhere ? run.next(arrays[k]) : arrays[k].next;
            }
            std::apply(
                [&](auto const&... more) {
                    if constexpr (stage == Stage::last) {
                        run.map_last(pass, Changed{d.to}, changed(now), d.gradients,
                                     d.bypass_gradients, more...);
                    } else if constexpr (stage == Stage::again) {
                        run.map_last(pass, Written{d.to}, d.from, changed(next), d.gradients,
                                     d.bypass_gradients, more...);
                    } else {
                        run.map(pass, Written{d.to}, d.from, written(next), now, d.gradients,
                                d.bypass_gradients);
                    }
                },
                d.extra.arguments);
        });
    }

private:
    void require_next() const {
        if (arrays[0].next.id < 0)
            wrong_call(
                "a method that descends elsewhere says so in init: plan.descends_elsewhere()");
    }
    POLDER_COLD void add(std::string_view name, double initial, Plan& plan) {
        arrays[count++] = plan.elsewhere() ? plan.succession(std::string(name), initial)
                                           : Succession{plan.kept(std::string(name), initial), {}};
    }
    template <std::size_t n>
    static std::array<Changed<ArrayId>, n> changed(std::array<ArrayId, n> const& a) {
        std::array<Changed<ArrayId>, n> out{};
        for (std::size_t k = 0; k != n; ++k) out[k] = {a[k]};
        return out;
    }
    template <std::size_t n>
    static std::array<Written<ArrayId>, n> written(std::array<ArrayId, n> const& a) {
        std::array<Written<ArrayId>, n> out{};
        for (std::size_t k = 0; k != n; ++k) out[k] = {a[k]};
        return out;
    }
};

// How many arrays of state a rule has, as its options are.
template <class Base>
std::size_t state_size(Base const& base) {
    return with_form(base, []<class Form>(Form const&) {
        return std::tuple_size_v<decltype(Form::state_names)>;
    });
}

template <class Base>
struct BaseState {
    using type = RuleState;
    static type make(Base const& base, Plan& plan) { return RuleState(base, plan); }
};
template <step_of_its_own Base>
struct BaseState<Base> {
    using type = decltype(std::declval<Base const&>().init(std::declval<Plan&>()));
    static type make(Base const& base, Plan& plan) { return base.init(plan); }
};

}  // namespace detail

/// What a method sees of its base optimizer: x <- BaseOpt(x, u). `rate`: what the learning rate is multiplied with, for a
/// base optimizer that has one.
template <class Base>
struct Descends {
    Base const& base;
    typename detail::BaseState<Base>::type const& state;

    /// x <- BaseOpt(x, u): ends the step.
    template <class R, std::size_t n, std::size_t m, class Extra>
    void descend(R& run, Blend<n, m, Extra> b, double rate = 1) const {
        run.share(b);
        step<Stage::last>(run, run.x(), run.x(), b, clip(run, b), rate);
        run.share_kept(b.extra);
    }
    template <class R>
    void descend(R& run, Gradient g) const {
        descend(run, 1 * std::move(g));
    }
    /// to = BaseOpt(x, u); the new state is written to its `next`. Not clipped.
    template <class R, std::size_t n>
    void descend_elsewhere(R& run, PointId to, Blend<n> b, double rate = 1) const {
        run.share(b);
        check(run, b);
        run.about_to_write(to);
        step<Stage::elsewhere>(run, run.x(), to, b, {}, rate);
    }
    /// x <- BaseOpt(from, u), `from` being the point that descend_elsewhere has written: ends the step.
    template <class R, std::size_t n, std::size_t m, class Extra>
    void descend_again(R& run, PointId from, Blend<n, m, Extra> b, double rate = 1) const {
        run.share(b);
        step<Stage::again>(run, from, run.x(), b, clip(run, b), rate);
        run.share_kept(b.extra);
    }
    /// to = BaseOpt(x, u), a step on trial, which does not change the state. Not clipped.
    template <class R, std::size_t n>
    void trial(R& run, PointId to, Blend<n> b) const {
        check(run, b);
        step<Stage::trial>(run, run.x(), to, b, {}, 1);
    }
    /// The array of the state that is the first moment (SGD's momentum buffer, Adam's m), with its values before the step.
    ArrayId first_moment() const { return state.first_moment(); }

private:
    // The clipping of u.
    struct Limits {
        Coefficient scale{};
        double limit = std::numeric_limits<double>::infinity();
    };
    template <class R, class B>
    static Limits clip(R& run, B const& b) {
        Clipping const& clipping = run.clipping();
        // Clipped, what is infinite would be finite. The last pass of a rule checks gradients itself.
        if constexpr (detail::step_of_its_own<Base>) {
            if (clipping.value < std::numeric_limits<double>::infinity()) check(run, b);
        }
        if (!clipping.by_norm()) return {{}, clipping.value};
        auto const [norm, scale] = run.reduce(
            detail::UpdateNorm<std::tuple_size_v<decltype(b.u.by)>>{{b.u.by}, clipping}, b.u.of);
        run.note(detail::Note::update_norm, norm);
        return {scale, clipping.value};
    }
    template <class R, class B>
    static void check(R& run, B const& b) {
        for (auto const& g : b.u.of) run.check(g);
    }
    template <Stage stage, class R, std::size_t n, std::size_t m, class Extra>
    void step(R& run, ArrayId from, ArrayId to, Blend<n, m, Extra> const& b, Limits const& limits,
              double rate) const {
        unsigned const ahead = run.descents();
        if (stage != Stage::trial) ++run.descents();
        DescentOf<stage, n, m, Extra> const descent{from,
                                                    to,
                                                    {{b.u.by, limits.scale}, limits.limit},
                                                    detail::arrays_of(b.u.of),
                                                    {{b.bypass.by}, b.bypass_weight},
                                                    detail::arrays_of(b.bypass.of),
                                                    b.extra,
                                                    static_cast<double>(ahead),
                                                    rate};
        if constexpr (detail::step_of_its_own<Base>) {
            base.step(run, state, descent);
        } else {
            state.step(run, base, descent);
        }
    }
};

}  // namespace polder
