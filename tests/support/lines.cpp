#include "support/lines.hpp"

polder::test::Lines polder::test::all_lines() {
    return registry::method_lines<AnyContainer<double>>(
        [](auto const& f) { registry::for_each_method(f); });
}
