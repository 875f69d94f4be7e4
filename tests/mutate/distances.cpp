// Every measure and every reference of a distance, for tools/mutate.
#include "mutate/numbers.hpp"

namespace polder::test {
namespace {

constexpr std::size_t euclidean = perturbation_number(0), along_average = 1, manhattan = 0,
                      constant = 5;
template <std::size_t... measure>
int add_distances(std::index_sequence<measure...>) {
    return (add_single<euclidean, distance_number(0, measure), 0, 0>() + ...);
}
[[maybe_unused]] int const every_distance =
    add_distances(std::make_index_sequence<table::size<decltype(table::measures)>>{}) +
    add_single<euclidean, along_average, 0, 0>() +
    add_single<euclidean, distance_number(1, constant), 0, 0>() +
    add_single<euclidean, distance_number(2, manhattan), 0, 0>() +
    add_single<perturbation_number(1), distance_number(0, manhattan), 0, 0>();

}  // namespace
}  // namespace polder::test
