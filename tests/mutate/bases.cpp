// Every base optimizer, alone and under SAM, for tools/mutate.
#include "mutate/numbers.hpp"

namespace polder::test {
namespace {

template <std::size_t... base>
int add_bases(std::index_sequence<base...>) {
    return (add_single<0, 0, 0, base>() + ...) +
           (add_single<perturbation_number(0), 0, 0, base>() + ...);
}
[[maybe_unused]] int const every_base = add_bases(std::make_index_sequence<table::base_count>{});

}  // namespace
}  // namespace polder::test
