/// The base optimizers by name.
#pragma once

#include <string_view>

#include <polder/registry/any_base.hpp>

namespace polder::registry {

/// What lists say of a base optimizer.
struct BaseEntry {
    std::string_view name, equation, source;
};

namespace detail {

template <class BaseOpt, class Options>
BaseOpt with_rate(Options& o) {
    BaseOpt base;
    base.learning_rate = o.number("learning_rate", base.learning_rate);
    base.weight_decay = o.number("weight_decay", base.weight_decay);
    return base;
}
template <class BaseOpt, class Options>
BaseOpt with_betas(Options& o) {
    auto base = with_rate<BaseOpt>(o);
    base.beta1 = o.number("beta1", base.beta1);
    base.beta2 = o.number("beta2", base.beta2);
    if constexpr (requires { base.eps; }) base.eps = o.number("eps", base.eps);
    return base;
}
template <class BaseOpt, class Options>
BaseOpt adam(Options& o) {
    auto base = with_betas<BaseOpt>(o);
    base.amsgrad = o.flag("amsgrad", base.amsgrad);
    return base;
}

}  // namespace detail

/// Calls f(entry, make) for each; make(options) returns the base optimizer of these options.
template <class F>
void for_each_base(F&& f) {
    f(BaseEntry{"adam",
                "x <- x - learning_rate m / (sqrt(v) + eps), m, v: corrected averages of u and u^2",
                "Kingma and Ba 2015; torch.optim.Adam"},
      [](auto& o) { return detail::adam<Adam>(o); });
    f(BaseEntry{"adamw", "as adam, after x <- (1 - learning_rate weight_decay) x",
                "Loshchilov and Hutter 2019; torch.optim.AdamW"},
      [](auto& o) { return detail::adam<AdamW>(o); });
    f(BaseEntry{"sgd", "x <- x - learning_rate u, or the running sum of u with momentum",
                "torch.optim.SGD"},
      [](auto& o) {
          auto base = detail::with_rate<SGD>(o);
          base.momentum = o.number("momentum", base.momentum);
          base.dampening = o.number("dampening", base.dampening);
          base.nesterov = o.flag("nesterov", base.nesterov);
          return base;
      });
    f(BaseEntry{"rmsprop", "x <- x - learning_rate u / (sqrt(v) + eps), v: average of u^2",
                "Tieleman and Hinton 2012; torch.optim.RMSprop"},
      [](auto& o) {
          auto base = detail::with_rate<RMSprop>(o);
          base.alpha = o.number("smoothing", base.alpha);
          if (!(base.alpha >= 0 && base.alpha < 1))
              polder::detail::refuse("smoothing", base.alpha, "[0, 1)");
          base.eps = o.number("eps", base.eps);
          base.momentum = o.number("momentum", base.momentum);
          base.centered = o.flag("centered", base.centered);
          return base;
      });
    f(BaseEntry{"adagrad", "x <- x - learning_rate u / (sqrt(S) + eps), S: sum of u^2",
                "Duchi, Hazan and Singer 2011; torch.optim.Adagrad"},
      [](auto& o) {
          auto base = detail::with_rate<Adagrad>(o);
          base.learning_rate_decay = o.number("learning_rate_decay", base.learning_rate_decay);
          base.initial_accumulator_value =
              o.number("initial_accumulator", base.initial_accumulator_value);
          base.eps = o.number("eps", base.eps);
          return base;
      });
    f(BaseEntry{"lion",
                "x <- x - learning_rate (sign(beta1 m + (1 - beta1) u) + weight_decay x), m: "
                "average of u",
                "Chen et al. 2023, Algorithm 2"},
      [](auto& o) { return detail::with_betas<Lion>(o); });
    f(BaseEntry{"lamb",
                "as adamw, each parameter's move as long as learning_rate times the parameter",
                "You et al. 2020, Algorithm 2"},
      [](auto& o) { return detail::with_betas<LAMB>(o); });
}

}  // namespace polder::registry
