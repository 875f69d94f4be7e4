/// Whether a class has a member of some name, whatever its signature.
///
/// The library asks whether it can call a member that a policy may have or not. If the policy has a member of that name and
/// the call does not compile, then its signature is another one, and it would never be called. So it is refused.
#pragma once

#include <type_traits>

namespace polder::detail {

template <class P, class Name>
struct WithName : P, Name {};

// Whether P has the member. (It may be a template, and C++ has no direct way to ask for one: if P has the member, the name is
// ambiguous in a class that inherits it twice.) Of a final class only members that are no templates are found.
template <class P, class Name>
constexpr bool has_name() {
    if constexpr (!std::is_class_v<P>) {
        return false;
    } else if constexpr (std::is_final_v<P>) {
        return Name::template is_in<P>;
    } else {
        return !Name::template is_in<WithName<P, Name>>;
    }
}

// The names.
#define POLDER_NAME(Name, member)                                                                  \
    struct Name {                                                                                  \
        int member;                                                                                \
        template <class P>                                                                         \
        static constexpr bool is_in = requires {                                                   \
            &P::member;                                                                            \
        };                                                                                         \
    }
namespace name {
POLDER_NAME(After, after);
POLDER_NAME(Before, before);
POLDER_NAME(Blend, blend);
POLDER_NAME(CountTerm, count_term);
POLDER_NAME(Direction, direction);
POLDER_NAME(Filter, filter);
POLDER_NAME(Init, init);
POLDER_NAME(Place, place);
POLDER_NAME(Reads, reads);
POLDER_NAME(Rest, rest);
POLDER_NAME(Start, start);
POLDER_NAME(StateNames, state_names);
POLDER_NAME(Term, term);
POLDER_NAME(ValidateOver, validate_over);
POLDER_NAME(Weights, weights);
POLDER_NAME(WithForm, with_form);
}  // namespace name
#undef POLDER_NAME

}  // namespace polder::detail
