#include "support/catch.hpp"

#include <map>
#include <string>
#include <vector>

#include <polder/polder.hpp>

#include "support/count_allocations.hpp"
#include "support/methods.hpp"

using namespace polder;

namespace {

// Valley allocates; this does not.
struct Bowl {
    template <class C>
    double operator()(C const& x, C& gradient, Pass) const {
        std::vector<double> const& at = std::get<1>(x);
        std::copy(at.begin(), at.end(), std::get<1>(gradient).begin());
        for (auto& [key, block] : std::get<0>(gradient)) std::fill(block.begin(), block.end(), 0.1);
        return 1;
    }
};

}  // namespace

TEST_CASE("after the first step a step allocates nothing", "[methods][engine]") {
    const auto check = [](char const* name, auto optimizer) {
        std::tuple<std::map<int, std::vector<double>>, std::vector<double>> x{
            {{1, std::vector<double>(100)}}, std::vector<double>(5 * Layout::chunk_size)};
        optimizer.step(x, Bowl{});
        const std::size_t before = allocations();
        for (int t = 0; t < 3; ++t) optimizer.step(x, Bowl{});
        const std::size_t after = allocations();
        CAPTURE(name);
        CHECK(after == before);
    };
    check("plain", Plain{Adam{}});
    check("momentum", Plain{SGD{.momentum = 0.9}});
    test::for_each_method(Adam{}, {}, check);
}

TEST_CASE("after the first step a step in place allocates nothing", "[methods][engine]") {
    test::for_each_method(Adam{}, {}, [](char const* name, auto optimizer) {
        std::vector<double> x(1000), gradient(1000, 0.1);
        const auto closure = [&](Pass) { return 1.0; };
        optimizer.step_in_place(x, gradient, closure);
        const std::size_t before = allocations();
        for (int t = 0; t < 3; ++t) optimizer.step_in_place(x, gradient, closure);
        const std::size_t after = allocations();
        CAPTURE(name);
        CHECK(after == before);
    });
}
