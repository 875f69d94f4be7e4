// Methods and base optimizers by name.

#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <polder/any_optimizer.hpp>

#include "support/valley.hpp"

using namespace polder;
using namespace polder::registry;
using polder::test::same_bits;
using polder::test::Valley;

namespace {

using Vector = std::vector<double>;

// A method that only these tests know, to see that nothing but its entry makes it known: eps = rho v.
struct UnscaledAscent {
    double rho = 0.25;
    static constexpr std::string_view name = "UnscaledAscent";
    void validate() const { require_non_negative("rho", rho); }
    double coefficient(double) const { return rho; }
};
template <class F>
void for_each_toy(F const& f) {
    f(MethodEntry{"toy", "Toy", "eps = rho g, u = s", "these tests"},
      [](auto& o, auto const& take) {
          take(Family<UnscaledAscent, NoDistance, NoMix>{.perturb = {o.number("rho", 0.25)}});
      });
}

// Of a part of the registry: all of it, over every base optimizer, takes minutes to compile.
std::vector<MethodLine<Vector>> const& lines() {
    static auto const all = method_lines<Vector>([](auto const& f) {
        for_each_direction(f);
        for_each_toy(f);
    });
    return all;
}

AnyOptimizer<Vector> make(std::string_view method, Options const& options,
                          std::string_view base = "adam") {
    OptionReader reader(options);
    auto optimizer = make_optimizer(lines(), method, base, reader);
    reader.require_all_used("this optimizer");
    return optimizer;
}

template <class Optimizer>
Vector run(Optimizer optimizer, int steps = 6) {
    Vector x(11);
    test::set_start(x);
    for (int t = 0; t < steps; ++t) optimizer.step(x, Valley{});
    return x;
}

}  // namespace

TEST_CASE("every method and base optimizer has a name and a title of its own", "[registry]") {
    std::set<std::string_view> names, titles;
    for_each_method([&](MethodEntry const& entry, auto const&) {
        CAPTURE(entry.name);
        CHECK(names.insert(entry.name).second);
        CHECK(titles.insert(entry.title).second);
        CHECK(canonical(entry.name) == entry.name);
        CHECK_FALSE(entry.equation.empty());
        CHECK((entry.name == "none" || !entry.source.empty()));
    });
    CHECK(names.size() > 30);
    std::set<std::string> bases;
    for (auto const& name : base_names()) CHECK(bases.insert(name).second);
    CHECK(bases.count("lion") + bases.count("lamb") == 2);
}

TEST_CASE("every option of a method is described, and every description is of one", "[registry]") {
    std::set<std::string> used;
    auto const describe = [&](OptionReader const& reader) {
        for (auto const& value : reader.used()) {
            CAPTURE(value.name);
            used.insert(value.name);
            auto const is_it = [&](auto const& each) { return each.name == value.name; };
            CHECK(std::any_of(option_descriptions.begin(), option_descriptions.end(), is_it));
        }
    };
    used.insert("kappa");  // of the + methods
    used.insert("sigma");  // also that of one distance
    for_each_method([&](MethodEntry const&, auto const& method) {
        OptionReader reader{Options{}};
        method(reader, [](auto const& made, Surroundings const& = {}) { made.validate(); });
        describe(reader);
    });
    for_each_base([&](BaseEntry const&, auto const& base) {
        OptionReader reader{Options{}};
        base(reader).validate();
        describe(reader);
    });
    for (auto const& each : option_descriptions) {
        CAPTURE(each.name);
        CHECK(used.count(std::string(each.name)) == 1);
        CHECK_FALSE(each.meaning.empty());
    }
}

TEST_CASE("an optimizer by name is the one of the type", "[registry]") {
    const Adam adam{.learning_rate = 0.02, .weight_decay = 0.01};
    const Options rates{{"learning_rate", "0.02"}, {"weight_decay", "0.01"}};
    auto const with = [&](Options more) {
        more.insert(more.end(), rates.begin(), rates.end());
        return more;
    };
    CHECK(same_bits(run(make("bsam", with({{"rho", "0.3"}, {"lambda", "0.5"}}))),
                    run(BSAM{adam, {.rho = 0.3, .lambda = 0.5}})));
    CHECK(same_bits(run(make("BSAM+", with({{"distance", "manhattan"}, {"kappa", "0.25"}}))),
                    run(BSAMPlus{adam, {.kappa = 0.25}, Manhattan{}})));
    CHECK(same_bits(run(make("Momentum-SAM", with({{"rho", "0.2"}}))),
                    run(MomentumSAM{adam, {.rho = 0.2}})));
    CHECK(same_bits(run(make("sampa", {{"learning_rate", "0.1"}}, "sgd")),
                    run(SAMPa{SGD{.learning_rate = 0.1}})));
    CHECK(same_bits(run(make("vasso", {{"learning_rate", "0.01"}}, "lamb")),
                    run(VaSSO{LAMB{.learning_rate = 0.01}})));
    CHECK(same_bits(run(make("fsam", {{"learning_rate", "0.01"}}, "Lion")),
                    run(FSAM{Lion{.learning_rate = 0.01}})));
    CHECK(same_bits(
        run(make("bsam", with({{"scale", "0"}, {"relative", "all"}, {"rho", "0.01"}}))),
        run(Sharpness{Relative<EuclideanBall>{{.rho = 0.01}}, NoDistance{}, NoMix{}, adam})));
}

TEST_CASE("a method with an entry is known by name, with its options and its form with +",
          "[registry]") {
    auto const names = method_names(lines());
    CHECK(std::count(names.begin(), names.end(), "toy") == 1);
    CHECK(std::count(names.begin(), names.end(), "toy+") == 1);
    auto const& entry = lines().back().entry;
    CHECK(entry.title == "Toy");
    CHECK(entry.equation == "eps = rho g, u = s");
    CHECK_THROWS_WITH(make("tyo", {}), ContainsSubstring("nearest: toy"));
    CHECK_THROWS_WITH(make("toy", {{"sigma", "1"}}),
                      ContainsSubstring("known: learning_rate") && ContainsSubstring("rho"));
    CHECK_THROWS_WITH(make("toy", {{"rho", "-1"}}), ContainsSubstring("rho = -1"));

    OptionReader reader{Options{}};
    make_optimizer(lines(), "Toy+", "sgd", reader);
    std::map<std::string, double> of_method;
    for (auto const& option : reader.used()) {
        if (option.part == OptionValue::Part::method)
            of_method[option.name] = std::get<double>(option.value);
    }
    CHECK(of_method == std::map<std::string, double>{{"rho", 0.25}, {"kappa", 0.6}});

    Vector x(11), g(11), s(11), second(11);
    test::set_start(x);
    Valley{}(x, g, {});
    Vector y = x, expected = x;
    for (std::size_t i = 0; i < x.size(); ++i) y[i] += 0.5 * g[i];
    Valley{}(y, s, {.perturbed = true});
    Valley{}(x, second, {.batch = Batch::second});
    for (std::size_t i = 0; i < x.size(); ++i) {
        expected[i] -= 0.1 * (0.7 * s[i] + 0.3 * second[i]);
    }
    auto toy = make("toy+", {{"rho", "0.5"}, {"kappa", "0.7"}, {"learning_rate", "0.1"}}, "sgd");
    CHECK(toy.batches() == 2);
    CHECK(toy.step(x, Valley{}).evaluations == 3);
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(x[i] == Approx(expected[i]).epsilon(1e-14));

    auto const found = run(make("toy", {{"learning_rate", "0.1"}}, "sgd"));
    CHECK(same_bits(
        found, run(Sharpness{UnscaledAscent{}, NoDistance{}, NoMix{}, SGD{.learning_rate = 0.1}})));
    CHECK_FALSE(same_bits(found, run(Plain{SGD{.learning_rate = 0.1}})));
}

TEST_CASE("an optimizer by name does what one of a type does", "[registry]") {
    auto optimizer = make("bsam+", {{"rho", "0.3"}});
    CHECK(optimizer.batches() == 2);
    CHECK(optimizer.has_perturbation());
    Vector x(11), eps(11);
    test::set_start(x);
    optimizer.perturbation(x, Valley{}, eps);
    double square = 0;
    for (double e : eps) square += e * e;
    CHECK(std::sqrt(square) == Approx(0.3));
    optimizer.step(x, Valley{});

    auto copy = optimizer;
    auto y = x;
    optimizer.step(x, Valley{});
    CHECK(copy.steps() == 1);
    Vector gradient(11);
    copy.step_in_place(y, gradient, [&](Pass pass) { return Valley{}(y, gradient, pass); });
    CHECK(same_bits(x, y));
    CHECK(test::state_bytes(copy) == test::state_bytes(optimizer));
    CHECK(copy.method() == optimizer.method());
    copy.set_learning_rate(0);
    copy.step(y, Valley{});
    CHECK(same_bits(x, y));

    AnyOptimizer<Vector> without = Plain{Adam{}};
    CHECK_FALSE(without.has_perturbation());
    CHECK_THROWS_AS(without.perturbation(x, Valley{}, eps), std::logic_error);
}

TEST_CASE("options are numbers, flags or text", "[registry]") {
    auto const by_name = [](std::string_view method, NamedOptions const& options = {},
                            std::string_view base = "adam", NamedOptions const& of_base = {}) {
        return make_optimizer(lines(), method, options, base, of_base);
    };
    CHECK(same_bits(
        run(by_name("bsam+", {{"rho", 0.1}, {"distance", "projection"}, {"kappa", 1}}, "adam",
                    {{"learning_rate", 1e-3}})),
        run(BSAMPlus{Adam{.learning_rate = 1e-3}, {.rho = 0.1, .kappa = 1}, Projection{}})));
    CHECK(same_bits(run(by_name("fsam", {}, "sgd",
                                {{"learning_rate", 0.1f}, {"momentum", 0.9}, {"nesterov", true}})),
                    run(FSAM{SGD{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true}})));
    CHECK(same_bits(run(by_name("bsam")), run(BSAM{Adam{}})));
    CHECK(NamedOptions{{"rho", 1.0 / 3}}.options() == Options{{"rho", "0.3333333333333333"}});
    CHECK_THROWS_WITH(
        by_name("bsam", {{"roh", 0.1}}, "sgd"),
        ContainsSubstring("unknown option of optimizer 'bsam' on 'sgd' 'roh'; nearest: rho"));
    CHECK_THROWS_WITH(by_name("bsam", {{"rho", true}}), "rho = 'true', expected a number");
    CHECK_THROWS_WITH(by_name("bsam", {{"rho", -1}}), ContainsSubstring("rho = -1"));
}

namespace {

// A function that takes any optimizer.
template <polder::optimizer<Vector> O>
double rate_after_step(O optimizer) {
    Vector x(11);
    test::set_start(x);
    optimizer.set_learning_rate(optimizer.learning_rate() / 2);
    optimizer.step(x, Valley{});
    return optimizer.steps() == 1 ? optimizer.learning_rate() : 0;
}
static_assert(polder::optimizer<SAM<Adam>, Vector>);
static_assert(polder::optimizer<AnyOptimizer<Vector>, Vector>);
static_assert(!polder::optimizer<Adam, Vector>);
static_assert(!polder::optimizer<AnyOptimizer<Vector>, std::vector<float>>);
static_assert(!polder::optimizer<Vector, Vector>);

}  // namespace

TEST_CASE("AnyOptimizer calls a closure that has a name, and no copy of it", "[registry]") {
    AnyOptimizer<Vector> optimizer = SAM{SGD{.learning_rate = 0.1}};
    Vector x{1, 2}, gradient{0, 0};
    auto counts = [calls = 0](Vector const& at, Vector& g, Pass) mutable {
        g = at;
        return double(++calls);
    };
    CHECK(optimizer.step(x, counts).loss == 1);
    CHECK(optimizer.step(x, counts).loss == 3);
    auto in_place = [&x, &gradient, calls = 0](Pass) mutable {
        gradient = x;
        return double(++calls);
    };
    CHECK(optimizer.step_in_place(x, gradient, in_place).loss == 1);
    CHECK(optimizer.step_in_place(x, gradient, in_place).loss == 3);
}

TEST_CASE("a function may take any optimizer", "[registry]") {
    CHECK(rate_after_step(SAM{Adam{.learning_rate = 0.25}}) == 0.125);
    CHECK(rate_after_step(make("bsam+", {{"learning_rate", "0.25"}})) == 0.125);
}

TEST_CASE("names and options that are unknown are refused with what is meant", "[registry]") {
    CHECK_THROWS_WITH(make("bsma", {}),
                      ContainsSubstring("unknown optimizer 'bsma'; nearest: bsam") &&
                          ContainsSubstring("bsam+"));
    CHECK_THROWS_WITH(make("mg+", {}), ContainsSubstring("unknown optimizer"));
    CHECK_THROWS_WITH(make("bsam", {}, "adan"),
                      ContainsSubstring("unknown base optimizer 'adan'; nearest: adam"));
    CHECK_THROWS_WITH(make("bsam", {{"roh", "1"}}),
                      ContainsSubstring("unknown option of this optimizer 'roh'; nearest: rho"));
    CHECK_THROWS_WITH(make("bsam", {{"rho", "much"}}), "rho = 'much', expected a number");
    CHECK_THROWS_WITH(make("bsam", {{"rho", "-1"}}),
                      "polder: rho = -1 is out of range; expected a finite number >= 0");
    CHECK_THROWS_WITH(make("bsam", {{"distance", "manhatten"}}),
                      ContainsSubstring("unknown distance 'manhatten'; nearest: manhattan"));
    CHECK_THROWS_WITH(make("momentum_sam", {}, "sgd"), ContainsSubstring("first moment"));
    CHECK_NOTHROW(make("momentum_sam", {{"momentum", "0.9"}}, "sgd"));
}
