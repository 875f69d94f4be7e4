// Every ball by itself, for tools/mutate.
#include "mutate/numbers.hpp"

namespace polder::test {
namespace {

template <std::size_t... ball>
int add_balls(std::index_sequence<ball...>) {
    return (add_single<perturbation_number(ball), 0, 0, ball % 2>() + ...);
}
[[maybe_unused]] int const every_ball =
    add_balls(std::make_index_sequence<table::size<decltype(table::balls)>>{});

}  // namespace
}  // namespace polder::test
