#include "support/lines.hpp"

polder::test::Lines polder::test::lines_of_balls() {
    return registry::method_lines<AnyContainer<double>>(
        [](auto const& f) { registry::for_each_ball(f); });
}
