#include "support/catch.hpp"

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include <polder/polder.hpp>

#include "support/any_method.hpp"
#include "support/count_allocations.hpp"

using namespace polder;
using polder::test::all_methods;
using polder::test::AnyContainer;
using polder::test::AnyMethod;

namespace {

// Valley allocates; this does not.
double bowl(std::vector<double> const& at, std::vector<double>& gradient, Pass) {
    std::copy(at.begin(), at.end(), gradient.begin());
    gradient[0] = 0.1;
    return 1;
}
double any_bowl(AnyContainer<double> const& at, AnyContainer<double>& gradient, Pass pass) {
    return bowl(at.as<std::vector<double>>(), gradient.as<std::vector<double>>(), pass);
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
        std::vector<double> memory(5 * Layout::chunk_size);
        auto x = AnyContainer<double>::of(memory);
        const AnyMethod<double>::ContainerClosure closure = any_bowl;
        method->step(x, closure);
        const std::size_t before = allocations();
        for (int t = 0; t < 4; ++t) method->step(x, closure);
        const std::size_t after = allocations();
        CAPTURE(method.name());
        CHECK(after == before);
    }
}

TEST_CASE("after the first step a step of many blocks allocates nothing", "[methods][engine]") {
    auto const check = [](char const* name, auto optimizer) {
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
        std::vector<double> memory(1000), ones(1000, 0.1);
        auto x = AnyContainer<double>::of(memory), gradient = AnyContainer<double>::of(ones);
        const std::function<double(Pass)> closure = [](Pass) { return 1.0; };
        method->step_in_place(x, gradient, closure);
        const std::size_t before = allocations();
        for (int t = 0; t < 4; ++t) method->step_in_place(x, gradient, closure);
        const std::size_t after = allocations();
        CAPTURE(method.name());
        CHECK(after == before);
    }
}
