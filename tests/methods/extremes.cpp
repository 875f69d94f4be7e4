// Gradients, hyper-parameters and parameters at the ends of what their type holds: parameters stay finite, or the step is
// refused in words.

#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <polder/polder.hpp>
#include <polder/registry/base_optimizers.hpp>
#include <polder/registry/options.hpp>

#include "support/any_method.hpp"

using namespace polder;
using polder::test::all_methods;

namespace {

template <class T>
std::vector<T> ends() {
    using Limits = std::numeric_limits<T>;
    const T root = std::sqrt(Limits::max());
    return {T(0),
            Limits::denorm_min(),
            -Limits::denorm_min(),
            Limits::min(),
            1 / root,
            root / 2,
            2 * root,
            Limits::max(),
            -Limits::max(),
            Limits::max() / 4,
            Limits::infinity(),
            Limits::quiet_NaN()};
}

template <class T>
bool all_finite(std::vector<T> const& x) {
    return std::all_of(x.begin(), x.end(), [](T v) { return std::isfinite(v); });
}

// Steps with a constant gradient of that size in all or in single coordinates, from usual parameters and from those at the ends
// of the type. step(x, closure).
template <class T, class Make>
void check_ends(Make const& make, std::vector<T> const& start = {1, -2, 0, T(1e-30), 3}) {
    for (T size : ends<T>()) {
        for (int pattern = 0; pattern < 3; ++pattern) {
            CAPTURE(size, pattern, start);
            auto optimizer = make();
            auto x = start;
            auto const write = [&](std::vector<T>& g) {
                for (std::size_t i = 0; i < g.size(); ++i) {
                    const bool there = pattern == 0 || (i % 2 == 0) == (pattern == 1);
                    g[i] = there ? (i == 2 ? size / 2 : size) : T(0);
                }
            };
            for (int t = 0; t < 4; ++t) {
                auto const before = x;
                try {
                    optimizer.step(x, write);
                    CHECK((std::isfinite(size) || x == before));
                } catch (NonFiniteError const&) {
                    CHECK((std::isfinite(size) || x == before));
                }
                REQUIRE(all_finite(x));
            }
        }
    }
}

// The largest parameters, the smallest and zero.
template <class T>
std::vector<T> starts_at_ends() {
    using Limits = std::numeric_limits<T>;
    return {Limits::max(), -Limits::max(), Limits::denorm_min(), Limits::max() / 4, 0};
}

template <class T>
struct OfMethod {
    test::AnyMethod<T> method;
    template <class Write>
    void step(std::vector<T>& x, Write const& write) {
        method->step(x, [&](auto const&, std::vector<T>& g, Pass) {
            write(g);
            return 1.0;
        });
    }
};
struct OfBase {
    Plain<AnyBase> plain;
    template <class T, class Write>
    void step(std::vector<T>& x, Write const& write) {
        plain.step(x, [&](std::vector<T> const&, std::vector<T>& g) {
            write(g);
            return 1.0;
        });
    }
};

// Every base optimizer of the registry, with each of these options that it has.
template <class F>
void for_each_base_with(F const& f) {
    using registry::Options;
    for (Options const& options :
         std::initializer_list<Options>{{},
                                        {{"momentum", "0.9"}},
                                        {{"centered", "true"}},
                                        {{"amsgrad", "true"}},
                                        {{"weight_decay", "0.1"}},
                                        {{"weight_decay", "1e30"}},
                                        {{"learning_rate", "1e30"}},
                                        {{"learning_rate", "1e308"}},
                                        {{"momentum", "0.9"}, {"nesterov", "true"}}}) {
        registry::for_each_base([&](registry::BaseEntry const& entry, auto const& make) {
            registry::OptionReader reader(options);
            auto const base = make(reader);
            auto const used = reader.used();
            for (auto const& option : options) {
                auto const is_it = [&](auto const& each) { return each.name == option.first; };
                if (std::none_of(used.begin(), used.end(), is_it)) return;
            }
            const std::string what =
                std::string(entry.name) +
                (options.empty() ? "" : " " + options[0].first + " " + options[0].second);
            CAPTURE(what);
            f(base);
        });
    }
}

}  // namespace

TEMPLATE_TEST_CASE("every method keeps parameters finite under extreme gradients", "[methods]",
                   float, double) {
    for (auto const& method : all_methods<TestType>({.rho = 0.1}, true)) {
        CAPTURE(method.name());
        auto const make = [&] { return OfMethod<TestType>{method}; };
        check_ends<TestType>(make);
        check_ends<TestType>(make, starts_at_ends<TestType>());
    }
}

TEMPLATE_TEST_CASE("every base optimizer keeps parameters finite under extreme gradients", "[base]",
                   float, double) {
    for_each_base_with([](auto const& base) {
        auto const make = [&] { return OfBase{Plain<AnyBase>(AnyBase(base))}; };
        check_ends<TestType>(make);
        check_ends<TestType>(make, starts_at_ends<TestType>());
    });
}

TEMPLATE_TEST_CASE("an eps that is 0 is refused in every base optimizer that has one", "[base]",
                   float, double) {
    using T = TestType;
    int found = 0;
    registry::for_each_base([&](registry::BaseEntry const& entry, auto const& make) {
        registry::OptionReader defaults{registry::Options{}};
        auto base = make(defaults);
        if constexpr (requires { base.eps; }) {
            CAPTURE(entry.name);
            ++found;
            base.eps = 0;
            CHECK_THROWS_WITH(Plain{base}, ContainsSubstring(".eps = 0 is out of range"));
            base.eps = static_cast<double>(std::numeric_limits<T>::denorm_min());
            check_ends<T>([&] { return OfBase{Plain<AnyBase>(AnyBase(base))}; });
            base.eps = 1e-50;
            std::vector<T> x{1, 2};
            Plain<AnyBase> optimizer{AnyBase(base)};
            auto const step = [&] {
                optimizer.step(x, [](std::vector<T> const&, std::vector<T>& g) {
                    g = {1, 0};
                    return 1.0;
                });
            };
            if constexpr (sizeof(T) == 4) {
                CHECK_THROWS_WITH(step(),
                                  ContainsSubstring(".eps = 1e-50 is out of range; expected "
                                                    "a number that is > 0 as float"));
                CHECK(x == std::vector<T>{1, 2});
            } else {
                step();
                CHECK(all_finite(x));
            }
        }
    });
    CHECK(found == 5);
}

TEST_CASE("what the messages say of large gradients and of new values", "[methods]") {
    std::vector<double> x{1, 2};
    auto const constant = [](double value) {
        return [value](std::vector<double> const&, std::vector<double>& g) {
            g = {value, value};
            return 1.0;
        };
    };
    SAM sam{SGD{.learning_rate = 0.1}};
    CHECK_THROWS_WITH(sam.step(x, constant(1e160)),
                      "polder: step 1: the gradient, or the sum of its squares, is not finite");
    CHECK_THROWS_WITH(sam.step(x, constant(INFINITY)),
                      "polder: step 1: the gradient is not finite");
    Plain plain{SGD{.learning_rate = 1e200}};
    CHECK_THROWS_WITH(plain.step(x, constant(1e160)),
                      "polder: step 1: the new value of a parameter is not finite");
    CHECK(x == std::vector<double>{1, 2});
}

TEST_CASE("a method without coordinates does nothing", "[methods]") {
    for (auto const& method : all_methods<double>({}, true)) {
        CAPTURE(method.name());
        auto used = method;
        std::vector<double> x;
        used->step(x, [](auto const&, auto&, Pass) { return 1.0; });
        CHECK(used->steps() == 1);
    }
    BSAM mean{Adam{}, {}, ManhattanMean{}};
    std::vector<double> x;
    mean.step(x, [](auto const&, std::vector<double>&) { return 1.0; });
    CHECK(mean.steps() == 1);
}
