/// The names of policies, as files of state have them.
#pragma once

#include <string>
#include <string_view>

namespace polder {

namespace detail {

template <class P>
constexpr std::string_view spelling() {
#if defined(_MSC_VER)
    return __FUNCSIG__;
#else
    return __PRETTY_FUNCTION__;
#endif
}

}  // namespace detail

/// The name of a policy: its static member `name` (a text, or a function that returns one). Without it, the name of its type as
/// the compiler writes it; another compiler may write it differently.
template <class P>
std::string policy_name() {
    if constexpr (requires { std::string_view(P::name); }) {
        return std::string(P::name);
    } else if constexpr (requires { std::string(P::name()); }) {
        return P::name();
    } else {
        std::string_view const text = detail::spelling<P>();
        auto const begin = text.find("P = ");
        if (begin == std::string_view::npos) return std::string(text);
        return std::string(text.substr(begin + 4, text.find_first_of("];", begin) - begin - 4));
    }
}

}  // namespace polder
