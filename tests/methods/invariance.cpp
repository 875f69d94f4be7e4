// Results depend on the coordinates alone: not on threads, on the container, or on the cut into blocks.

#include "support/catch.hpp"

#include <array>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include <polder/polder.hpp>

#if __has_include(<Eigen/Core>)
#include <Eigen/Core>
#endif

#include "support/methods.hpp"
#include "support/valley.hpp"

using namespace polder;
using polder::test::flat;
using polder::test::for_each_kind_of_method;
using polder::test::same_bits;
using polder::test::Valley;

namespace {

const Adam adam{.learning_rate = 0.02, .weight_decay = 0.01};

template <class Optimizer, class C>
auto run(Optimizer optimizer, C& x, int steps = 4) {
    test::set_start(x);
    for (int t = 0; t < steps; ++t) optimizer.step(x, Valley{});
    return flat(x);
}

}  // namespace

TEMPLATE_TEST_CASE("1, 2 and 7 threads give the same bits", "[methods][threads]", float, double) {
    for_each_kind_of_method(adam, {.rho = 0.1}, [](char const* name, auto optimizer) {
        std::vector<TestType> x(5 * Layout::chunk_size + 77);
        optimizer.set_threads(1);
        const auto reference = run(optimizer, x);
        for (int threads : {2, 7}) {
            optimizer.set_threads(threads);
            CAPTURE(name, threads);
            CHECK(same_bits(run(optimizer, x), reference));
        }
    });
}

TEMPLATE_TEST_CASE("the cut into blocks does not matter", "[methods]", float, double) {
    for_each_kind_of_method(adam, {.rho = 0.1}, [](char const* name, auto const& optimizer) {
        const std::size_t size = Layout::chunk_size + 300;
        std::vector<TestType> whole(size);
        const auto reference = run(optimizer, whole);
        for (std::size_t block : {std::size_t{1}, std::size_t{7}, std::size_t{1000}, size - 1}) {
            std::vector<std::vector<TestType>> cut;
            for (std::size_t left = size; left > 0; left -= cut.back().size()) {
                cut.emplace_back(std::min(block, left));
            }
            CAPTURE(name, block);
            CHECK(same_bits(run(optimizer, cut), reference));
        }
    });
}

TEMPLATE_TEST_CASE("the container does not matter", "[methods]", float, double) {
    using T = TestType;
    {
        // Every method on every container: tests/containers.
        const BSAMPlus optimizer{adam, {.rho = 0.1}};
        std::vector<T> vector(24);
        const auto reference = run(optimizer, vector);

        std::array<T, 24> array{};
        CHECK(same_bits(run(optimizer, array), reference));

        std::vector<T> memory(24);
        std::span<T> span(memory);
        CHECK(same_bits(run(optimizer, span), reference));
        CHECK(same_bits(memory, reference));

        std::tuple<std::vector<T>, std::array<T, 4>, std::map<int, std::vector<T>>> nest{
            std::vector<T>(8), {}, {{1, std::vector<T>(5)}, {2, std::vector<T>(7)}}};
        CHECK(same_bits(run(optimizer, nest), reference));

        ParameterArena<T> arena;
        arena.add("a", 3, 5);
        arena.add("b", 9, 1);
        CHECK(same_bits(run(optimizer, arena), reference));

#if __has_include(<Eigen/Core>)
        Eigen::Matrix<T, Eigen::Dynamic, 1> eigen(24);
        CHECK(same_bits(run(optimizer, eigen), reference));

        std::vector<T> mapped(24);
        std::array<Eigen::Map<Eigen::Matrix<T, 3, 4>>, 2> maps{
            Eigen::Map<Eigen::Matrix<T, 3, 4>>(mapped.data()),
            Eigen::Map<Eigen::Matrix<T, 3, 4>>(mapped.data() + 12)};
        CHECK(same_bits(run(optimizer, maps), reference));
        CHECK(same_bits(mapped, reference));
#endif
    }
}

TEMPLATE_TEST_CASE("a model that owns its parameters gets the same bits", "[methods][closure]",
                   float, double) {
    for_each_kind_of_method(adam, {.rho = 0.1}, [](char const* name, auto optimizer) {
        std::vector<TestType> x(50);
        const auto reference = run(optimizer, x);
        std::vector<TestType> weights(50), gradient(50);
        test::set_start(weights);
        for (int t = 0; t < 4; ++t) {
            optimizer.step_in_place(weights, gradient,
                                    [&](Pass pass) { return Valley{}(weights, gradient, pass); });
        }
        CAPTURE(name);
        CHECK(same_bits(weights, reference));
    });
}
