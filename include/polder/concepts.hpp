/// What each slot of Sharpness asks of a policy, and what functions may ask of an optimizer.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <type_traits>

#include <polder/closure/pass.hpp>
#include <polder/config.hpp>
#include <polder/distance/distance_to.hpp>
#include <polder/distance/inner_products.hpp>
#include <polder/distance/none.hpp>
#include <polder/engine/reduction.hpp>
#include <polder/member_name.hpp>
#include <polder/perturb/none.hpp>
#include <polder/run/descent.hpp>

namespace polder {

/// A policy whose hyper-parameters can be checked, copied and moved.
template <class P>
concept policy = std::copyable<P> && requires(P const& p) {
    p.validate();
};

/// A ball of a norm that is a sum of squares: see perturb/move.hpp.
template <class P>
concept quadratic_ball = policy<P> && requires(P const& p) {
    { p.coefficient(1.0) } -> std::convertible_to<double>;
};

/// A ball of another norm: see perturb/move.hpp.
template <class P>
concept norm_ball = policy<P> && requires(P const& p) {
    { p.norm(p.term(1.0)) } -> std::convertible_to<double>;
    { p.template move<float>(1.0, 1.0)(1.0f) } -> std::convertible_to<float>;
    { p.template move<double>(1.0, 1.0)(1.0) } -> std::convertible_to<double>;
};

/// NoPerturbation, a ball, or a policy that is derived from one.
template <class P>
concept perturbation = std::same_as<P, NoPerturbation> || quadratic_ball<P> || norm_ball<P>;

namespace detail {

// Groups and schedules change the radius by its name.
template <class P>
concept has_radius = std::same_as<P, NoPerturbation> || requires(P& p) {
    p.rho *= 1.0;
};

}  // namespace detail

/// A measure whose d is a function of inner products: distance(products).
template <class M>
concept measure_of_products = policy<M> && requires(M const& m, InnerProducts const& p) {
    { m.distance(p) } -> std::convertible_to<double>;
};

/// A measure whose d also needs a reduction of its own: term(g, e) of one coordinate is a Sum or a Max, and
/// distance(total, products).
template <class M>
concept measure_of_terms = policy<M> && requires(M const& m, InnerProducts const& p) {
    { m.distance(m.term(1.0, 1.0), p) } -> std::convertible_to<double>;
};

/// How the average e moves: decay(t) is the weight of the old e in step t = 0, 1, ...; e is fed g, or v if
/// is_fed_direction.
template <class R>
concept reference_direction = policy<R> && requires(R const& r) {
    { r.decay(std::uint64_t{0}) } -> std::convertible_to<double>;
    { R::read_after_update } -> std::convertible_to<bool>;
    requires !(R::read_after_update && R::is_fed_direction);
};

namespace detail {

// Whether P has a template of that name. Of a final class nobody can tell, so the call decides.
template <class P, class Name>
inline constexpr bool may_have = std::is_final_v<P> || has_name<P, Name>();

template <class D>
inline constexpr bool is_distance_to = may_have<D, name::Direction>;
// A term that is not called as term(g, e) would be left out.
template <class R, class M>
inline constexpr bool is_distance_to<DistanceTo<R, M>> = reference_direction<R> &&
                                                         (has_name<M, name::Term>()
                                                              ? measure_of_terms<M>
                                                              : measure_of_products<M>);

}  // namespace detail

/// NoDistance, DistanceTo<Reference, Measure>, or another policy with direction(run, state, g, perturb, reads).
template <class D>
concept distance = policy<D> && detail::is_distance_to<D>;

/// A policy that makes u of the gradients: blend(run, s), or blend(run, s, g) if it says reads_clean.
template <class M>
concept mixing = policy<M> && detail::may_have<M, detail::name::Blend>;

namespace detail {

// An array of texts, one for each array of state.
template <class B>
concept names_state = requires {
    std::tuple_size<std::remove_cvref_t<decltype(B::state_names)>>::value;
    { *B::state_names.begin() } -> std::convertible_to<std::string_view>;
};
struct RuleForm {
    template <class Form>
    POLDER_HOST_DEVICE auto operator()(Form const& form) const {
        static_assert(requires {
            requires names_state<Form>;
            form.template rule<double>(1.0);
        });
        return 0;
    }
};
template <class B>
concept has_forms = requires(B const& b) {
    b.with_form(RuleForm{});
};

}  // namespace detail

/// A rule of one coordinate, or a step of its own: see run/descent.hpp.
template <class B>
concept base_optimizer = policy<B> &&
    (detail::step_of_its_own<B> || detail::has_forms<B> || requires(B const& b) {
        requires detail::names_state<B>;
        b.template rule<float>(1.0);
        b.template rule<double>(1.0);
    });

/// An optimizer of parameters C: Optimizer<Method, BaseOpt> in all its names, and AnyOptimizer<C>. For functions that take any:
///
///     template <polder::optimizer<Weights> O>
///     void train(O& optimizer, Weights& x);
template <class O, class C>
concept optimizer = std::copyable<O> &&
    requires(O& o, O const& read, C& x, C& gradient, double (*closure)(C const&, C&, Pass),
             double (*model)(Pass)) {
    o.step(x, closure);
    o.step_in_place(x, gradient, model);
    o.bind(x);
    o.begin_epoch();
    o.set_learning_rate(0.1);
    { read.learning_rate() } -> std::convertible_to<double>;
    { read.steps() } -> std::convertible_to<std::uint64_t>;
    { read.method() } -> std::convertible_to<std::string_view>;
};

}  // namespace polder
