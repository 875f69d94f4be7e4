// Results depend on the coordinates alone: not on threads, on the cut into blocks, or on the form of a step.
// (Nor on the container: tests/containers.)

#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include <polder/polder.hpp>

#include "support/any_method.hpp"
#include "support/cases.hpp"
#include "support/valley.hpp"

using namespace polder;
using polder::test::all_methods;
using polder::test::AnyContainer;
using polder::test::AnyMethod;
using polder::test::Case;
using polder::test::cases;
using polder::test::flat;
using polder::test::same_bits;
using polder::test::Valley;

namespace {

template <class T>
std::vector<T> run(AnyMethod<T> method, AnyContainer<T> x, int steps = 4) {
    for (int t = 0; t < steps; ++t) method->step(x, Valley{});
    return flat(x);
}

// The start that all cuts share, in blocks of `sizes`.
template <class T>
AnyContainer<T> start_in(std::vector<std::size_t> const& sizes) {
    std::vector<std::vector<T>> blocks;
    for (std::size_t size : sizes) blocks.emplace_back(size);
    test::set_start(blocks);
    return AnyContainer<T>::copy_of(blocks);
}

}  // namespace

TEMPLATE_TEST_CASE("1, 2 and 7 threads give the same bits", "[methods]", float, double) {
    using T = TestType;
    auto const x = start_in<T>({5 * Layout::chunk_size + 77});
    for (AnyMethod<T>& method : all_methods<T>({.rho = 0.1, .every = 2}, true)) {
        method->set_threads(1);
        auto const expected = run(method, x, 3);
        for (int threads : {2, 7}) {
            method->set_threads(threads);
            CAPTURE(method.name(), threads);
            CHECK(same_bits(run(method, x, 3), expected));
        }
    }
}

TEMPLATE_TEST_CASE("the cut into blocks does not matter", "[methods]", float, double) {
    using T = TestType;
    constexpr std::size_t size = Layout::chunk_size + 300;
    test::Random random(test::random_seed(), 0);
    auto const cut = [](auto const& length) {
        std::vector<std::size_t> sizes;
        for (std::size_t left = size; left > 0; left -= sizes.back()) {
            sizes.push_back(std::min(length(), left));
        }
        return sizes;
    };
    std::vector<std::vector<std::size_t>> cuts;
    for (std::size_t length : {std::size_t{1}, std::size_t{7}, std::size_t{1000}, size - 1}) {
        cuts.push_back(cut([=] { return length; }));
    }
    for (int draw = 0; draw < 3; ++draw) {
        cuts.push_back(cut([&] { return static_cast<std::size_t>(random.log_uniform(1, 9000)); }));
    }
    auto const whole = start_in<T>({size});
    for (AnyMethod<T> const& method : all_methods<T>({.rho = 0.1}, true)) {
        if (method.traits().reads_blocks) continue;
        auto const expected = run(method, whole);
        for (auto const& sizes : cuts) {
            CAPTURE(method.name(), sizes.size(), test::random_seed());
            CHECK(same_bits(run(method, start_in<T>(sizes)), expected));
        }
    }
}

TEMPLATE_TEST_CASE("a model that owns its parameters gets the same bits", "[methods][closure]",
                   float, double) {
    using T = TestType;
    for (Case const& drawn : cases(20)) {
        CAPTURE(drawn);
        for (AnyMethod<T>& method : all_methods<T>(drawn.settings, true)) {
            auto weights = drawn.parameters<T>();
            auto const expected = run(method, weights);
            auto gradient = weights;
            for (int t = 0; t < 4; ++t) {
                method->step_in_place(weights, gradient,
                                      [&](Pass pass) { return Valley{}(weights, gradient, pass); });
            }
            CAPTURE(method.name());
            CHECK(same_bits(flat(weights), expected));
        }
    }
}
