// The numbers of single policies in composable/table.hpp, for the mixtures that tools/mutate tests changes with.
#pragma once

#include "composable/check.hpp"

namespace polder::test {

/// Layers around a ball, in the order of the table.
enum Layer : std::size_t {
    no_layer,
    fixed_mask,
    fisher_mask,
    dynamic_mask,
    stochastic,
    centralised,
    several_ascents,
    relative,
    relative_per_block
};
constexpr std::size_t perturbation_number(std::size_t ball, Layer layer = no_layer) {
    return 1 + ball * table::nesting_count + layer;
}
/// reference: 0 the moving average, 1 the lagged one, 2 the lagged one of reduced gradients.
constexpr std::size_t distance_number(std::size_t reference, std::size_t measure) {
    return table::size<decltype(table::other_distances)> +
           reference * table::size<decltype(table::measures)> + measure;
}

}  // namespace polder::test
