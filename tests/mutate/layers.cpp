// Every layer around a ball, for tools/mutate.
#include "mutate/numbers.hpp"

namespace polder::test {
namespace {

template <std::size_t... layer>
int add_layers(std::index_sequence<layer...>) {
    return (add_single<perturbation_number(layer % 2, Layer(layer + 1)), 0, 0, 0>() + ...);
}
[[maybe_unused]] int const every_layer =
    add_layers(std::make_index_sequence<table::layer_count>{}) +
    add_single<perturbation_number(3, fixed_mask), 0, 0, 0>();

}  // namespace
}  // namespace polder::test
