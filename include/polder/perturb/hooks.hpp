/// Refuses a perturbation with a member that the library would not call.
///
/// A ball, or a policy around one, may have the members that perturb/move.hpp lists. One that is there, but is not called as it
/// is written there, would be left out without a word. So each gets a sentence.
#pragma once

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include <polder/member_name.hpp>
#include <polder/perturb/move.hpp>
#include <polder/run/specimen.hpp>

namespace polder::detail {

enum class Hook {
    none,
    init,
    start,
    before,
    reads,
    weights,
    arrays,  // other arrays than the weights take
    filter,
    count_term,
    place,
    after
};

// Whether P, or the policy that it goes around, has weights. (A policy around a ball has the name even around one without.)
template <class P>
constexpr bool names_weights() {
    if constexpr (requires { typename P::Inner; }) {
        return names_weights<typename P::Inner>();
    } else {
        return has_name<P, name::Weights>();
    }
}

template <class P>
inline constexpr bool calls_init = requires(P const& p, Plan& plan) {
    p.init(plan);
};
template <class P, class State>
inline constexpr bool calls_start = requires(P const& p, SpecimenRun& run, State const& state) {
    p.start(run, state);
};
template <class P, class State>
inline constexpr bool calls_before = requires(P const& p, SpecimenRun& run, State const& state) {
    p.before(run, state);
};
template <class P, class State, class Before>
inline constexpr bool calls_reads = requires(P const& p, SpecimenRun& run, State const& state,
                                             Before const& before, ArrayId x, Gradient const& g) {
    p.reads(run, state, before, x, g);
};
template <class P, class... Read>
inline constexpr bool calls_filter = requires(P const& p, double eps, Read... reads) {
    p.filter(eps, reads...);
};
template <class P, class Reads>
inline constexpr bool calls_place = requires(P const& p, SpecimenRun& run, ArrayId x, PointId y,
                                             Direction<1> const& v, Reads const& reads) {
    p.place(run, x, y, v, reads);
};
template <class P, class State, class Before>
inline constexpr bool calls_after = requires(P const& p, SpecimenRun& run, State const& state,
                                             Before const& before, PointId y, Gradient const& g) {
    p.after(run, state, before, y, g);
};

// The first member of P that would not be called.
// (nvcc 13 expands no alias of a pack that depends on nothing else: hence T.)
template <class P, class Reads, class T = double, std::size_t... i>
constexpr Hook wrong_function(std::index_sequence<i...>) {
    if constexpr (names_weights<P>() && !is_weighted<P>) {
        return Hook::weights;
    } else if constexpr (!weights_fit<P, T, sizeof...(i)>()) {
        return Hook::arrays;
    } else if constexpr (has_name<P, name::Filter>() && !calls_filter<P, OneOf<T, i>...>) {
        return Hook::filter;
    } else if constexpr (has_name<P, name::CountTerm>() && !is_counting<P>) {
        return Hook::count_term;
    } else if constexpr (has_name<P, name::Place>() && !calls_place<P, Reads>) {
        return Hook::place;
    } else {
        return Hook::none;
    }
}
template <class P, class State, class Before>
constexpr Hook wrong_pass() {
    if constexpr (has_name<P, name::Reads>() && !calls_reads<P, State, Before>) {
        return Hook::reads;
    } else if constexpr (has_name<P, name::After>() && !calls_after<P, State, Before>) {
        return Hook::after;
    } else {
        using Reads = decltype(reads_of(std::declval<SpecimenRun&>(), std::declval<P const&>(),
                                        std::declval<State const&>(), std::declval<Before const&>(),
                                        ArrayId{}, std::declval<Gradient const&>()));
        return wrong_function<P, Reads>(std::make_index_sequence<std::tuple_size_v<Reads>>{});
    }
}
template <class P>
constexpr Hook wrong_hook() {
    if constexpr (has_name<P, name::Init>() && !calls_init<P>) {
        return Hook::init;
    } else {
        using State = StateOf<P>;
        if constexpr (has_name<P, name::Start>() && !calls_start<P, State>) {
            return Hook::start;
        } else if constexpr (has_name<P, name::Before>() && !calls_before<P, State>) {
            return Hook::before;
        } else {
            return wrong_pass<P, State,
                              decltype(before_of(std::declval<SpecimenRun&>(),
                                                 std::declval<P const&>(),
                                                 std::declval<State const&>()))>();
        }
    }
}
// The same of P, of the policies that it goes around and of the part that it asks.
template <class P>
constexpr Hook wrong_hook_within() {
    if constexpr (!std::is_class_v<P>) {
        return Hook::none;
    } else if constexpr (requires { typename P::Inner; }) {
        constexpr Hook inner = wrong_hook_within<typename P::Inner>();
        if constexpr (inner != Hook::none) {
            return inner;
        } else {
            return wrong_hook<P>();
        }
    } else if constexpr (requires { typename P::Asked; }) {
        constexpr Hook asked = wrong_hook<typename P::Asked>();
        if constexpr (asked != Hook::none) {
            return asked;
        } else {
            return wrong_hook<P>();
        }
    } else {
        return wrong_hook<P>();
    }
}

// Whether the members of a ball are not hidden by those of the policies around it.
template <class P>
constexpr bool hides_nothing() {
    if constexpr (requires { typename P::Inner; }) {
        using Inner = typename P::Inner;
        bool const layer1 = has_name<Inner, name::Start>() || has_name<Inner, name::Filter>() ||
                            has_name<Inner, name::After>();
        return !has_name<Inner, name::Place>() && !(layer_of<P>() == 1 && layer1) &&
               hides_nothing<Inner>();
    } else {
        return true;
    }
}

template <class P>
struct HooksFit {
    static constexpr Hook wrong = wrong_hook_within<P>();
    static_assert(wrong != Hook::init,
                  "polder: init of a policy is called as init(plan), and const");
    static_assert(wrong != Hook::start,
                  "polder: start of a policy is called as start(run, state), and const");
    static_assert(wrong != Hook::before,
                  "polder: before of a policy is called as before(run, state), and const");
    static_assert(wrong != Hook::reads, "polder: reads of a policy is called as reads(run, state, "
                                        "before, x, g), and const; x is an ArrayId");
    static_assert(wrong != Hook::weights,
                  "polder: weights of a ball is called as weights<T>(adaptive), and const");
    static_assert(wrong != Hook::arrays,
                  "polder: the weights of a ball, a(...) and b(...), take as many values as its "
                  "reads(run, state, before, x, g) lists arrays");
    static_assert(wrong != Hook::filter,
                  "polder: filter of a policy is called as filter(eps, r...), and const, with a "
                  "value r of each array that reads(...) lists");
    static_assert(wrong != Hook::count_term,
                  "polder: count_term of a ball is called as count_term(v, norm), and const");
    static_assert(wrong != Hook::place,
                  "polder: place of a policy is called as place(run, x, y, v, reads), and const; "
                  "x is an ArrayId, y a PointId, v any Direction");
    static_assert(wrong != Hook::after,
                  "polder: after of a policy is called as after(run, state, before, y, g), and "
                  "const; y is a PointId, g a Gradient const&");
    static constexpr bool value = wrong == Hook::none;
};

}  // namespace polder::detail
