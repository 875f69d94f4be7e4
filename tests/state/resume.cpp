// A run that is saved and continued by a fresh optimizer is the run without interruption, bit for bit.
#include "support/catch.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "support/any_method.hpp"
#include "support/temporary_directory.hpp"
#include "support/valley.hpp"

using namespace polder;
using namespace polder::test;

namespace {

template <class T>
void check_resume(std::filesystem::path const& file, AnyMethod<T> const& fresh) {
    using Parameters = std::map<std::string, std::vector<T>>;
    auto const run = [](AnyMethod<T>& method, Parameters& x, int steps) {
        auto any = AnyContainer<T>::of(x);
        for (int t = 0; t < steps; ++t) {
            if (method->steps() % 5 == 0) method->begin_epoch();
            method->step(any, Valley{});
        }
    };
    auto const save = [&](AnyMethod<T>& method, Parameters& x) {
        auto any = AnyContainer<T>::of(x);
        method->save_checkpoint(file, any);
    };
    auto const load = [&](AnyMethod<T>& method, Parameters& x) {
        auto any = AnyContainer<T>::of(x);
        method->load_checkpoint(file, any);
    };
    const Parameters zeros{{"bias", std::vector<T>(3)}, {"weight", std::vector<T>(38)}};
    auto whole = zeros;
    set_start(whole);
    auto begun = whole;
    auto optimizer = fresh, saved = fresh;
    run(optimizer, whole, 20);
    run(saved, begun, 13);
    save(saved, begun);

    auto resumed = fresh;
    auto x = zeros;
    load(resumed, x);
    INFO(fresh.name());
    CHECK(same_bits(flat(x), flat(begun)));
    CHECK(resumed->state() == saved->state());
    run(resumed, x, 7);
    CHECK(same_bits(flat(x), flat(whole)));
    CHECK(resumed->state() == optimizer->state());

    // Saving changed nothing, and loading into an optimizer that was used forgets what it had.
    run(saved, begun, 7);
    CHECK(same_bits(flat(begun), flat(whole)));
    load(optimizer, x);
    run(optimizer, x, 7);
    CHECK(same_bits(flat(x), flat(whole)));
    CHECK(resumed->state() == optimizer->state());
}

}  // namespace

TEMPLATE_TEST_CASE("a run with any method goes on from a file bit for bit", "[state]", float,
                   double) {
    const TemporaryDirectory folder;
    for (auto const& method : all_methods<TestType>({.rho = 0.1}, true))
        check_resume<TestType>(folder / "run", method);
}
