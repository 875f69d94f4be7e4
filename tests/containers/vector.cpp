#include "containers/every_method.hpp"

using namespace polder;

TEST_CASE("every method moves every parameter", "[containers]") {
    // Otherwise equal bits on all containers would say little.
    std::vector<double> x(60), start(60);
    test::set_start(start);
    for (auto const& method : test::all_methods<double>({.rho = 0.1}, true)) {
        CAPTURE(method.name());
        auto const trace = test::trace_any<double>(method, x);
        bool moved = true;
        for (std::size_t i = 0; i < start.size(); ++i) {
            moved = moved && trace.parameters.at(i) != start[i];
        }
        CHECK(moved);
    }
}

TEMPLATE_TEST_CASE("every method on std::vector", "[containers]", float, double) {
    std::vector<TestType> x(60);
    test::check_every_method(x);
}
