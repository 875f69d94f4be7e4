/// The gradient with its L2 penalty, of Adagrad, Adam, RMSprop and SGD.
#pragma once

#include <polder/config.hpp>

namespace polder::detail {

/// h = sign u + weight_decay x: the gradient of +-L(x) + weight_decay / 2 ||x||^2. A rule that has such a member is called as
/// rule(x, h, state). Where h = u, the pass leaves it out.
template <class T>
struct Penalised {
    T weight_decay, sign;

    template <class V>
    POLDER_INLINE V operator()(V x, V u) const {
        return sign * u + weight_decay * x;
    }
    bool is_u() const { return weight_decay == 0 && sign == 1; }
};

}  // namespace polder::detail
