// Every mix, with and without a second batch, for tools/mutate.
#include "mutate/numbers.hpp"

namespace polder::test {
namespace {

template <std::size_t... mix>
int add_mixes(std::index_sequence<mix...>) {
    return (add_single<perturbation_number(0), 0, mix, mix % 2>() + ...);
}
[[maybe_unused]] int const every_mix =
    add_mixes(std::make_index_sequence<2 * table::mix_count / 3>{}) +
    add_single<perturbation_number(0), distance_number(0, 0), table::mix_count / 3, 0>();

}  // namespace
}  // namespace polder::test
