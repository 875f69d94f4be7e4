/// The base optimizer alone, with the same interface as the sharpness-aware methods.
#pragma once

#include <concepts>

#include <polder/sharpness.hpp>

namespace polder {

/// x <- BaseOpt(x, grad L(x)).  One evaluation per step.
///
///     polder::Plain optimizer{polder::Adam{.learning_rate = 1e-3}};
template <class BaseOpt>
struct Plain : Sharpness<NoPerturbation, NoDistance, NoMix, BaseOpt> {
    Plain() requires std::default_initializable<BaseOpt> : Plain(BaseOpt{}) {}
    Plain(detail::NoSuchOption<BaseOpt>, ...) = delete;  // it takes no options
    explicit Plain(BaseOpt base)
        : Sharpness<NoPerturbation, NoDistance, NoMix, BaseOpt>({}, {}, {}, base) {}
};
template <class BaseOpt>
Plain(BaseOpt, ...) -> Plain<BaseOpt>;

}  // namespace polder
