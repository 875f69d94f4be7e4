/// Refuses a base optimizer and a method that would not be called as they are written.
#pragma once

#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include <polder/concepts.hpp>
#include <polder/member_name.hpp>
#include <polder/run/descent.hpp>
#include <polder/run/handles.hpp>
#include <polder/run/specimen.hpp>

namespace polder {

template <class Of>
struct Plus;

namespace detail {

enum class BaseFault { none, kind, names, form, init, rule, copy };

template <class Base, class T>
constexpr BaseFault fault_of_rule() {
    constexpr std::size_t n = std::tuple_size_v<std::remove_cvref_t<decltype(Base::state_names)>>;
    using Rule = decltype(std::declval<Base const&>().template rule<T>(1.0));
    if constexpr (!std::is_invocable_r_v<T, Rule const&, T, T, std::array<T, n>&>) {
        return BaseFault::rule;
    } else if constexpr (takes_a_copy<Rule, T, n>) {
        return BaseFault::copy;
    } else {
        return BaseFault::none;
    }
}
// What is wrong with a base optimizer. (The rules of forms are checked where they run: see RuleDescent.)
template <class Base>
constexpr BaseFault fault_of_base() {
    if constexpr (has_name<Base, name::StateNames>() && !names_state<Base>) {
        return BaseFault::names;
    } else if constexpr (has_name<Base, name::WithForm>() && !has_forms<Base>) {
        return BaseFault::form;
    } else if constexpr (has_name<Base, name::Init>() && !step_of_its_own<Base>) {
        return BaseFault::init;
    } else if constexpr (!base_optimizer<Base>) {
        return BaseFault::kind;
    } else if constexpr (!step_of_its_own<Base> && !has_forms<Base>) {
        return fault_of_rule<Base, double>();
    } else {
        return BaseFault::none;
    }
}

template <class Base>
struct BaseFits {
    static constexpr BaseFault fault = fault_of_base<Base>();
    static_assert(
        fault != BaseFault::kind,
        "polder: BaseOpt needs validate(), state_names and rule<T>(k), or a step of its own; see "
        "docs/writing_a_method.md");
    static_assert(fault != BaseFault::names, "polder: state_names of a base optimizer is a static "
                                             "constexpr std::array of std::string_view");
    static_assert(fault != BaseFault::form,
                  "polder: with_form of a base optimizer is called as with_form(f), and const");
    static_assert(fault != BaseFault::init,
                  "polder: init of a base optimizer is called as init(plan), and const");
    static_assert(fault != BaseFault::rule,
                  "polder: the rule of a base optimizer is called as rule(x, u, state), state "
                  "being a std::array of as many values as state_names lists");
    static_assert(fault != BaseFault::copy,
                  "polder: the rule of a base optimizer takes its state as std::array<V, n>&, so "
                  "that it can write it");
    static constexpr bool value = fault == BaseFault::none;
};

// Of Plus its method, which has the members that Plus passes on.
template <class Method>
struct InsidePlus {
    using type = Method;
};
template <class Of>
struct InsidePlus<Plus<Of>> {
    using type = Of;
};

// What a method keeps; nothing, where it is no method.
template <class Method>
struct StateOfMethod {
    struct type {};
};
template <class Method>
requires requires(Method const& method, Plan& plan) { method.init(plan); }
struct StateOfMethod<Method> {
    using type = decltype(std::declval<Method const&>().init(std::declval<Plan&>()));
};

enum class MethodFault { none, init, step, start, rest, validate_over };

template <class M, class State>
inline constexpr bool starts_with = requires(M const& m, SpecimenRun& run, State const& state) {
    m.start(run, state);
};
template <class M, class State, class Base>
inline constexpr bool steps_with = requires(M const& m, SpecimenRun& run, State const& state,
                                            Descends<Base> const& base) {
    m.step(run, state, base);
};
template <class M, class State, class Base>
inline constexpr bool rests_with = requires(M const& m, SpecimenRun& run, State const& state,
                                            Descends<Base> const& base) {
    m.rest(run, state, base);
};
template <class M, class Base>
inline constexpr bool validates_over = requires(M const& m, Base const& base) {
    m.validate_over(base);
};
template <class M>
inline constexpr bool is_a_method = requires(M const& m, Plan& plan) {
    m.validate();
    m.init(plan);
};

template <class Method, class Base>
constexpr MethodFault fault_of_method() {
    using Inside = typename InsidePlus<Method>::type;
    using State = typename StateOfMethod<Method>::type;
    if constexpr (fault_of_base<Base>() != BaseFault::none) {
        return MethodFault::none;
    } else if constexpr (!is_a_method<Method>) {
        return MethodFault::init;
    } else if constexpr (requires { Inside::family; }) {  // has its members where its policies do
        return MethodFault::none;
    } else if constexpr (!steps_with<Method, State, Base>) {
        return MethodFault::step;
    } else if constexpr (has_name<Inside, name::Start>() && !starts_with<Inside, State>) {
        return MethodFault::start;
    } else if constexpr (has_name<Inside, name::Rest>() && !rests_with<Inside, State, Base>) {
        return MethodFault::rest;
    } else if constexpr (has_name<Inside, name::ValidateOver>() && !validates_over<Inside, Base>) {
        return MethodFault::validate_over;
    } else {
        return MethodFault::none;
    }
}

template <class Method, class Base>
struct MethodFits {
    static constexpr MethodFault fault = fault_of_method<Method, Base>();
    static_assert(fault != MethodFault::init,
                  "polder: a method has validate() and init(plan), const, which returns what it "
                  "keeps; see docs/writing_a_method.md");
    static_assert(fault != MethodFault::step,
                  "polder: a method has step(run, state, base), which ends with "
                  "base.descend(run, u); see docs/writing_a_method.md");
    static_assert(fault != MethodFault::start,
                  "polder: start of a method is called as start(run, state), and const");
    static_assert(fault != MethodFault::rest,
                  "polder: rest of a method is called as rest(run, state, base), and const");
    static_assert(fault != MethodFault::validate_over,
                  "polder: validate_over of a method is called as validate_over(base), and const");
    static constexpr bool value = fault == MethodFault::none;
};

// Whether the policies of a method fit together.
template <class Method>
inline constexpr bool policies_fit = true;

// Whether all fits. BaseFits and MethodFits refuse what does not, each with a sentence. A step is not compiled then, so that
// the sentence comes alone.
template <class Method, class Base>
constexpr bool fits() {
    if constexpr (fault_of_base<Base>() != BaseFault::none) {
        return false;
    } else {
        return policies_fit<Method> && fault_of_method<Method, Base>() == MethodFault::none;
    }
}

}  // namespace detail

}  // namespace polder
