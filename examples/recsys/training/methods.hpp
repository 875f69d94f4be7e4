/// The methods of the library's registry, for parameters that lie on a System. A file for each System compiles them, by
/// POLDER_METHODS.
#pragma once

#include <utility>
#include <vector>

#include <polder/any_optimizer.hpp>
#include <polder/registry/methods.hpp>

#include "recsys/place.hpp"
#include "recsys/training/optimizer.hpp"

namespace polder::recsys::detail {

template <class System>
std::vector<registry::MethodLine<ArenaOf<float, System>>> all_lines();

template <class System>
AnyOptimizerOn<System> make_optimizer_on(OptimizerOptions const& chosen,
                                         registry::OptionReader& options) {
    auto optimizer =
        registry::make_optimizer(all_lines<System>(), chosen.method, chosen.base, options);
    bool const is_base_alone = registry::canonical(chosen.method).starts_with("none");
    surround(optimizer.settings(), options, optimizer.has_perturbation(), is_base_alone,
             optimizer.batches());
    options.require_all_used("optimizer '" + chosen.method + "' on '" + chosen.base + "'");
    return optimizer;
}

}  // namespace polder::recsys::detail

/// Compiles those that registry::list calls its argument with. In one file: most of what they are made of, such as the last
/// pass of each base optimizer, they share.
#define POLDER_METHODS(System, list)                                                               \
    namespace polder::recsys::detail {                                                             \
    template <>                                                                                    \
    std::vector<registry::MethodLine<ArenaOf<float, System>>> all_lines<System>() {                \
        return registry::method_lines<ArenaOf<float, System>>(                                     \
            [](auto const& f) { registry::list(f); });                                             \
    }                                                                                              \
    }
