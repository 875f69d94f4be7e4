#include "support/catch.hpp"

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include <polder/polder.hpp>

#include "support/any_method.hpp"
#include "support/count_allocations.hpp"
#include "support/methods.hpp"

using namespace polder;
using polder::test::all_methods;

namespace {

// Valley allocates; this does not.
double bowl(std::vector<double> const& at, std::vector<double>& gradient, Pass) {
    std::copy(at.begin(), at.end(), gradient.begin());
    gradient[0] = 0.1;
    return 1;
}

struct BowlOfBlocks {
    template <class C>
    double operator()(C const& x, C& gradient, Pass pass) const {
        for (auto& [key, block] : std::get<0>(gradient)) std::fill(block.begin(), block.end(), 0.1);
        return bowl(std::get<1>(x), std::get<1>(gradient), pass);
    }
};

}  // namespace

TEST_CASE("after the first step a step allocates nothing", "[methods][engine]") {
    for (auto method : all_methods<double>({}, true)) {
        std::vector<double> x(5 * Layout::chunk_size);
        method->step(x, bowl);
        const std::size_t before = allocations();
        for (int t = 0; t < 4; ++t) method->step(x, bowl);
        const std::size_t after = allocations();
        CAPTURE(method.name());
        CHECK(after == before);
    }
}

TEST_CASE("after the first step a step of many blocks allocates nothing", "[methods][engine]") {
    const auto check = [](char const* name, auto optimizer) {
        std::tuple<std::map<int, std::vector<double>>, std::vector<double>> x{
            {{1, std::vector<double>(100)}, {2, {}}}, std::vector<double>(Layout::chunk_size)};
        optimizer.step(x, BowlOfBlocks{});
        const std::size_t before = allocations();
        for (int t = 0; t < 4; ++t) optimizer.step(x, BowlOfBlocks{});
        const std::size_t after = allocations();
        CAPTURE(name);
        CHECK(after == before);
    };
    check("momentum", Plain{SGD{.momentum = 0.9}});
    check("LookSAM", LookSAM<SGD, ReusedAscentPerBlock>{SGD{}, {.every = 2}});
    check("BSAM+", BSAMPlus{Adam{}});
}

TEST_CASE("after the first step a step in place allocates nothing", "[methods][engine]") {
    for (auto method : all_methods<double>({}, true)) {
        std::vector<double> x(1000), gradient(1000, 0.1);
        const std::function<double(Pass)> closure = [](Pass) { return 1.0; };
        method->step_in_place(x, gradient, closure);
        const std::size_t before = allocations();
        for (int t = 0; t < 4; ++t) method->step_in_place(x, gradient, closure);
        const std::size_t after = allocations();
        CAPTURE(method.name());
        CHECK(after == before);
    }
}
