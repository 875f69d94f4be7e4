/// The methods of the library's registry, in four parts that are compiled by themselves for each System: a line for each
/// of them in methods_*.cpp, in methods_on_thrust.cpp and in cuda/.
#pragma once

#include <utility>
#include <vector>

#include <polder/any_optimizer.hpp>
#include <polder/registry/methods.hpp>

#include "recsys/place.hpp"
#include "recsys/training/optimizer.hpp"

namespace polder::recsys::detail {

template <class System>
using Lines = std::vector<registry::MethodLine<ArenaOf<float, System>>>;

template <class System>
Lines<System> lines_of_balls();
template <class System>
Lines<System> lines_of_metrics();
template <class System>
Lines<System> lines_of_directions();
template <class System>
Lines<System> lines_of_mixes();

template <class System>
Lines<System> all_lines() {
    Lines<System> all;
    for (auto* part : {&lines_of_balls<System>, &lines_of_metrics<System>,
                       &lines_of_directions<System>, &lines_of_mixes<System>}) {
        auto lines = part();
        all.insert(all.end(), lines.begin(), lines.end());
    }
    return all;
}

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

/// Compiles a part: POLDER_METHODS(balls, for_each_ball, HostMemory)
#define POLDER_METHODS(part, for_each, System)                                                     \
    namespace polder::recsys::detail {                                                             \
    template <>                                                                                    \
    Lines<System> lines_of_##part<System>() {                                                      \
        return registry::method_lines<ArenaOf<float, System>>(                                     \
            [](auto const& f) { registry::for_each(f); });                                         \
    }                                                                                              \
    }
