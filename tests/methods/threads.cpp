// For the thread sanitizer: a step of each kind on several threads. invariance.cpp asks more.

#include "support/catch.hpp"

#include <vector>

#include <polder/polder.hpp>

#include "support/methods.hpp"
#include "support/valley.hpp"

using namespace polder;

TEMPLATE_TEST_CASE("1, 2 and 7 threads give the same bits, by kind of method", "[methods][threads]",
                   float, double) {
    const Adam adam{.learning_rate = 0.02, .weight_decay = 0.01};
    test::for_each_kind_of_method(adam, {.rho = 0.1}, [](char const* name, auto const& fresh) {
        std::vector<std::vector<TestType>> results;
        for (int threads : {1, 2, 7}) {
            auto optimizer = fresh;
            optimizer.set_threads(threads);
            std::vector<TestType> x(5 * Layout::chunk_size + 77);
            test::set_start(x);
            for (int t = 0; t < 4; ++t) optimizer.step(x, test::Valley{});
            results.push_back(x);
        }
        CAPTURE(name);
        CHECK(test::same_bits(results[1], results[0]));
        CHECK(test::same_bits(results[2], results[0]));
    });
}
