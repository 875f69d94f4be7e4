// The mixed loss of two batches.

#include "support/catch.hpp"

#include <string>
#include <vector>

#include <polder/polder.hpp>

#include "support/runs.hpp"

using namespace polder;
using namespace polder::test;

TEMPLATE_TEST_CASE("kappa = 1 is the method without the second batch", "[methods]", float, double) {
    using T = TestType;
    for (Case const& drawn : cases(25)) {
        CAPTURE(drawn);
        const test::Settings with = changed(drawn, [](test::Settings& s) { s.kappa = 1; });
        auto const methods = all_methods<T>(with);
        for (AnyMethod<T> const& method : methods) {
            if (!method.traits().second_batch) continue;
            CAPTURE(method.name());
            std::string name = method.name();
            name.erase(name.find('+'), 1);
            if (name == "BSAM") name = "BSAM cosine";
            CHECK(same_bits(run<T>(method, drawn), run<T>(name.c_str(), with, drawn)));
        }
    }
}

TEMPLATE_TEST_CASE("kappa = 0 is the base optimizer on the second batch", "[methods]", float,
                   double) {
    using T = TestType;
    for (Case const& drawn : cases(25)) {
        CAPTURE(drawn);
        const test::Settings with = changed(drawn, [](test::Settings& s) { s.kappa = 0; });
        auto const base =
            run<T>(one_method<T>("plain", with), drawn, [](auto const& x, auto& gradient, Pass) {
                return Valley{}(x, gradient, Pass{Batch::second, false});
            });
        for (AnyMethod<T> const& method : all_methods<T>(with)) {
            CAPTURE(method.name());
            if (method.traits().second_batch) CHECK(same_bits(run<T>(method, drawn), base));
        }
    }
}
