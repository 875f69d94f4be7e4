#include "recsys/training/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include <polder/polder.hpp>
#include <polder/registry/methods.hpp>
#include <polder/state/state.hpp>

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace polder::recsys;
using polder::ParameterArena;
using polder::Pass;

ParameterArena<float> start() {
    ParameterArena<float> x;
    x.add("x", 3, 1);
    x.add("matrix", 2, 2);
    for (std::size_t k = 0; k < x.size(); ++k) x.data()[k] = 1 + 0.5F * static_cast<float>(k);
    return x;
}

// A bowl per batch and sample: their centres differ.
double bowl(ParameterArena<float> const& x, ParameterArena<float>& gradient, Pass pass) {
    float const centre = pass.batch == polder::Batch::second ? 0.5F
                         : pass.sample >= 0 ? 0.1F * static_cast<float>(pass.sample)
                                            : 0.0F;
    double loss = 0;
    for (std::size_t k = 0; k < x.size(); ++k) {
        float const scale = 1 + 0.5F * static_cast<float>(k);
        gradient.data()[k] = scale * (x.data()[k] - centre);
        loss += 0.5 * static_cast<double>(scale * (x.data()[k] - centre) * (x.data()[k] - centre));
    }
    return loss;
}

std::vector<float> after(AnyOptimizer& optimizer, int steps, ParameterArena<float> x = start()) {
    for (int step = 0; step < steps; ++step) {
        if (step % 4 == 0) optimizer.begin_epoch();
        optimizer.step(x, bowl);
    }
    return {x.begin(), x.end()};
}

// As `after`, by an optimizer that was composed by hand.
template <class Optimizer>
std::vector<float> composed_after(Optimizer optimizer, int steps) {
    auto x = start();
    for (int step = 0; step < steps; ++step) {
        if (step % 4 == 0) optimizer.begin_epoch();
        optimizer.step(x, bowl);
    }
    return {x.begin(), x.end()};
}

std::vector<float> named_after(std::string const& name, int steps) {
    return after(*make_optimizer(parse_optimizer(name)), steps);
}

std::vector<std::string> option_names(OptimizerOptions const& options) {
    std::vector<std::string> result;
    for (auto const& each : optimizer_values(options))
        if (each.part != OptimizerValue::Part::common) result.push_back(each.name);
    return result;
}

}  // namespace

TEST_CASE("every method goes downhill on every base optimizer", "[optimizer]") {
    auto const method = GENERATE(from_range(method_names()));
    auto const base = GENERATE(from_range(base_names()));
    CAPTURE(method, base);
    OptimizerOptions options{method, base, {{"learning_rate", "0.1"}}};
    const bool needs_moment = method.starts_with("momentum_sam");
    if (needs_moment && (base == "sgd" || base == "rmsprop")) {
        options.values.emplace_back("momentum", "0.5");
    }
    if (needs_moment && base == "adagrad") {
        CHECK_THROWS_WITH(make_optimizer(options),
                          ContainsSubstring("needs a base optimizer with a first moment"));
        return;
    }
    auto const optimizer = make_optimizer(options);
    auto x = start();
    auto gradient = x;
    double const before = bowl(x, gradient, {});
    for (int step = 0; step < 100; ++step) optimizer->step(x, bowl);
    CHECK(bowl(x, gradient, {}) < 0.5 * before);
}

TEST_CASE("every option at its ends is refused by its name, or x stays finite", "[optimizer]") {
    auto const check = [](OptimizerOptions options, std::string const& name) {
        for (char const* value :
             {"0", "1", "-1", "2", "1e-320", "1e-40", "1e30", "1e308", "nan", "inf", "-inf",
              "18446744073709551615", "18446744073709551616", ""}) {
            CAPTURE(options.method, options.base, name, value);
            options.values = {{name, value}};
            auto x = start();
            try {
                auto const optimizer = make_optimizer(options);
                for (int step = 0; step < 4; ++step) optimizer->step(x, bowl);
            } catch (polder::NonFiniteError const&) {  // and x is as it was
            } catch (std::invalid_argument const& error) {
                CHECK_THAT(error.what(), ContainsSubstring(name));
            }
            CHECK(std::all_of(x.begin(), x.end(), [](float v) { return std::isfinite(v); }));
        }
    };
    for (auto const& method : method_names()) {
        OptimizerOptions const options{method, "adamw", {}};
        for (auto const& each : optimizer_values(options))
            if (each.part == OptimizerValue::Part::method) check(options, each.name);
    }
    for (auto const& base : base_names()) {
        OptimizerOptions const options{"bsam", base, {}};
        for (auto const& each : optimizer_values(options))
            if (each.part != OptimizerValue::Part::method) check(options, each.name);
    }
}

TEST_CASE("the program knows all methods of the library, and no others", "[optimizer]") {
    std::vector<std::string> names, equations;
    polder::registry::for_each_method([&](polder::registry::MethodEntry const& entry, auto const&) {
        names.emplace_back(entry.name);
        equations.emplace_back(entry.equation);
    });
    std::vector<std::string> listed, described;
    for (auto const& method : describe_methods()) {
        listed.push_back(method.name);
        described.push_back(method.equation);
    }
    CHECK(listed == names);
    CHECK(described == equations);
}

TEST_CASE("every method goes on from its state bit for bit", "[optimizer]") {
    auto const method = GENERATE(from_range(method_names()));
    CAPTURE(method);
    OptimizerOptions const options{method, "adam", {{"learning_rate", "0.01"}}};
    auto const whole = make_optimizer(options), continued = make_optimizer(options);
    auto x = start();
    for (int step = 0; step < 4; ++step) whole->step(x, bowl);
    TemporaryDirectory const folder;
    polder::SafetensorsWriter writer;
    polder::add_state(writer, *whole, x);
    writer.write(folder / "state");
    polder::SafetensorsFile file(folder / "state");
    *continued = polder::read_state(file, *continued, x);
    CHECK(after(*whole, 8, x) == after(*continued, 8, x));
}

TEST_CASE("a name gives the optimizer that the library composes", "[optimizer]") {
    using namespace polder;
    SGD const sgd{.learning_rate = 0.1, .momentum = 0.9};
    std::string const on = ":base=sgd:learning_rate=0.1:momentum=0.9";
    CHECK(named_after("none" + on, 9) == composed_after(Plain{sgd}, 9));
    CHECK(named_after("sam" + on, 9) == composed_after(SAM{sgd}, 9));
    CHECK(named_after("sam_linf" + on, 9) ==
          composed_after(Sharpness{InfinityBall{}, NoDistance{}, NoMix{}, sgd}, 9));
    CHECK(named_after("asam+:eta=0" + on, 9) == composed_after(ASAMPlus{sgd, {.eta = 0}}, 9));
    CHECK(named_after("fisher_sam" + on, 9) == composed_after(FisherSAM{sgd}, 9));
    CHECK(named_after("ssam-f:samples=2" + on, 9) ==
          composed_after(SSAM{sgd, {}, FisherMask{.samples = 2}}, 9));
    CHECK(
        named_after("SSAM-D:drop=weight:refresh_epochs=1" + on, 9) ==
        composed_after(SSAM{sgd, {}, DynamicMask{.drop = Score::weight, .refresh_epochs = 1}}, 9));
    CHECK(named_after("fsam:sigma=0.5" + on, 9) == composed_after(FSAM{sgd, {.sigma = 0.5}}, 9));
    CHECK(named_after("fsam_after" + on, 9) ==
          composed_after(FSAM<SGD, MovingAverage>{sgd, {}}, 9));
    CHECK(named_after("bsam+:distance=cosine:rho=0.2:kappa=0.3:lambda=0.5" + on, 9) ==
          composed_after(BSAMPlus{sgd, {.rho = 0.2, .lambda = 0.5, .kappa = 0.3}, Cosine{}}, 9));
    CHECK(named_after("gnp:normalise_clean=true" + on, 9) ==
          composed_after(GNP{sgd, {.normalise_clean = true}}, 9));
    CHECK(named_after("gsam+" + on, 9) == composed_after(GSAMPlus{sgd}, 9));
    CHECK(named_after("wsam" + on, 9) == composed_after(WSAM{sgd}, 9));
    CHECK(named_after("looksam:every=3" + on, 9) == composed_after(LookSAM{sgd, {.every = 3}}, 9));
    CHECK(named_after("mg" + on, 9) == composed_after(MirrorGradient{sgd}, 9));
    CHECK(named_after("mg:phase=last" + on, 9) ==
          composed_after(MirrorGradient{sgd, {.phase = Phase::last}}, 9));
    CHECK(named_after("sgbd:literal=true" + on, 9) ==
          composed_after(SGBD{sgd, {.literal = true}}, 9));
}

TEST_CASE("base optimizers are the library's", "[optimizer]") {
    using namespace polder;
    CHECK(named_after("none:learning_rate=0.1:amsgrad=true", 9) ==
          composed_after(Plain{Adam{.learning_rate = 0.1, .amsgrad = true}}, 9));
    CHECK(named_after("none:base=adamw", 9) == composed_after(Plain{AdamW{}}, 9));
    CHECK(named_after("none:base=sgd:momentum=0.9:nesterov=true:weight_decay=0.1", 9) ==
          composed_after(Plain{SGD{.momentum = 0.9, .weight_decay = 0.1, .nesterov = true}}, 9));
    CHECK(named_after("none:base=rmsprop:smoothing=0.9:centered=true:momentum=0.5", 9) ==
          composed_after(Plain{RMSprop{.alpha = 0.9, .momentum = 0.5, .centered = true}}, 9));
    CHECK(named_after("none:base=adagrad:initial_accumulator=0.5", 9) ==
          composed_after(Plain{Adagrad{.initial_accumulator_value = 0.5}}, 9));
}

TEST_CASE("intervals, schedules, clipping and exempt parameters act", "[optimizer]") {
    using namespace polder;
    Adam const adam{.learning_rate = 0.1};
    auto const with = [&](auto optimizer, auto change) {
        change(optimizer);
        return composed_after(optimizer, 9);
    };
    std::string const on = ":learning_rate=0.1";
    CHECK(named_after("sam:every=3:phase=last:warm_up=2" + on, 9) == with(SAM{adam}, [](auto& o) {
              o.set_interval({.every = 3, .phase = Phase::last, .warm_up = 2});
          }));
    CHECK(named_after("sam:rho=2:rho_schedule=inverse" + on, 9) ==
          with(SAM{adam, {.rho = 2}}, [](auto& o) { o.set_rho_schedule(schedules::Inverse{}); }));
    CHECK(named_after("sam:learning_rate_schedule=cosine:learning_rate_steps=5:learning_rate_last="
                      "0.5" +
                          on,
                      9) == with(SAM{adam}, [](auto& o) {
              o.set_learning_rate_schedule(schedules::Cosine{5, 0.5});
          }));
    CHECK(named_after("none:base=sgd:clip_norm=0.5:clip_value=0.25" + on, 9) ==
          with(Plain{SGD{.learning_rate = 0.1}},
               [](auto& o) { o.set_clipping({.norm = 0.5, .value = 0.25}); }));
    CHECK(named_after("asam:exempt=m*;x" + on, 9) == with(ASAM{adam}, [](auto& o) {
              o.set_groups({{.name = "exempt", .blocks = {"m*", "x"}, .adaptive = false}});
          }));
    CHECK(named_after("asam:exempt=x" + on, 9) != named_after("asam" + on, 9));
    auto x = start();
    CHECK_THROWS_WITH(make_optimizer(parse_optimizer("asam:exempt=bias*"))->bind(x),
                      ContainsSubstring("no block is named 'bias*'; known: 'x', 'matrix'"));
}

TEST_CASE("options are listed with the library's defaults", "[optimizer]") {
    using Names = std::vector<std::string>;
    CHECK(option_names({"none", "sgd", {}}) ==
          Names{"learning_rate", "weight_decay", "momentum", "dampening", "nesterov"});
    CHECK(option_names({"sam", "adam", {}}) == Names{"learning_rate", "weight_decay", "beta1",
                                                     "beta2", "eps", "amsgrad", "rho",
                                                     "norm_guard"});
    CHECK(option_names({"bsam+", "adagrad", {{"distance", "constant"}}}) ==
          Names{"learning_rate", "weight_decay", "learning_rate_decay", "initial_accumulator",
                "eps", "rho", "norm_guard", "lambda", "scale", "distance", "sigma", "relative",
                "kappa"});
    for (auto const& each : optimizer_values({"bsam", "adam", {{"lambda", "0.2"}}})) {
        if (each.name == "rho") CHECK(std::get<double>(each.value) == polder::BSAMOptions{}.rho);
        if (each.name == "lambda") CHECK(std::get<double>(each.value) == 0.2);
        if (each.name == "distance") CHECK(std::get<std::string>(each.value) == "cosine");
        if (each.name == "clip_norm") CHECK(to_text(each.value) == "inf");
    }
}

TEST_CASE("every option has a description, and every description an option", "[optimizer]") {
    std::set<std::string> used, described;
    auto const take = [&](OptimizerOptions const& options) {
        for (auto const& each : optimizer_values(options)) used.insert(each.name);
    };
    for (auto const& base : base_names()) take({"none", base, {}});
    for (auto const& method : method_names()) take({method, "adam", {}});
    take({"bsam", "sgd", {{"distance", "constant"}}});
    for (auto const* kind : {"step", "exponential", "cosine", "warm_up"})
        take({"sam", "sgd", {{"rho_schedule", kind}, {"learning_rate_schedule", kind}}});
    for (auto const& each : describe_optimizer_options()) described.emplace(each.name);
    CHECK(used == described);
}

TEST_CASE("unknown names and wrong values are answered with what is known", "[optimizer]") {
    auto const fails = [](OptimizerOptions const& options, std::string const& message) {
        CHECK_THROWS_WITH(make_optimizer(options), ContainsSubstring(message));
        CHECK_THROWS_WITH(optimizer_values(options), ContainsSubstring(message));
    };
    fails({"sham", "adam", {}}, "unknown optimizer 'sham'; nearest: sam, asam, fsam; known: none");
    fails({"mg+", "adam", {}}, "unknown optimizer 'mg+'");
    fails({"sam", "adan", {}}, "unknown base optimizer 'adan'; nearest: adam, adamw; known: adam");
    fails({"bsam", "adam", {{"distance", "cosin"}}}, "unknown distance 'cosin'; nearest: cosine");
    fails(
        {"sam", "adam", {{"lamda", "0.5"}}},
        "unknown option of optimizer 'sam' on 'adam' 'lamda'; known: learning_rate, weight_decay");
    fails({"bsam", "adam", {{"lamda", "0.5"}}}, "'lamda'; nearest: lambda; known");
    fails({"sam", "adam", {{"rho", "wide"}}}, "rho = 'wide', expected a number");
    fails({"sam", "adam", {{"rho", "-1"}}}, "rho = -1");
    fails({"sam", "adam", {{"every", "0"}}}, "every = 0");
    fails({"sam", "adam", {{"every", "1.5"}}}, "every = '1.5', expected a whole number from 0");
    fails({"sam", "adam", {{"amsgrad", "yes"}}}, "amsgrad = 'yes', expected true or false");
    fails({"sam", "adam", {{"rho_schedule", "step"}, {"rho_steps", "0"}}}, "rho_steps = '0'");
    fails({"bsam", "adam", {{"lambda", "1"}}}, "lambda = 1");
    fails({"bsam", "adam", {{"lambda", "1"}, {"distance", "none"}}}, "lambda = 1");
    fails({"none", "sgd", {{"learning_rate", "nan"}}}, "learning_rate");
    fails({"none", "sgd", {{"nesterov", "true"}}}, "momentum");
    CHECK_THROWS_WITH(parse_optimizer("sam:rho"),
                      ContainsSubstring("'sam': 'rho', expected name=value"));
}

TEST_CASE("a text is a method, its base optimizer and options", "[optimizer]") {
    auto const options =
        parse_optimizer("bsam+:base=sgd:rho=0.2", {"none", "adam", {{"eps", "1"}}});
    CHECK(options.method == "bsam+");
    CHECK(options.base == "sgd");
    CHECK(options.values == Settings{{"eps", "1"}, {"rho", "0.2"}});
    CHECK(parse_optimizer("sam").values.empty());
}

namespace {

// Adam's defaults but for the rate, or SGD, in plain loops over doubles.
struct PlainBase {
    bool is_adam = true;
    double learning_rate = 0.1;
    std::vector<double> m{}, v{};
    int k = 0;

    void step(std::vector<double>& x, std::vector<double> const& u, double rate) {
        m.resize(x.size());
        v.resize(x.size());
        ++k;
        for (std::size_t i = 0; i < x.size(); ++i) {
            m[i] = 0.9 * m[i] + 0.1 * u[i];
            v[i] = 0.999 * v[i] + 0.001 * u[i] * u[i];
            double const adam =
                m[i] / (1 - std::pow(0.9, k)) / (std::sqrt(v[i] / (1 - std::pow(0.999, k))) + 1e-8);
            x[i] -= learning_rate * rate * (is_adam ? adam : u[i]);
        }
    }
};

// A reading of MG or SGBD.
struct PlainMirror {
    double alpha1 = 1, alpha2 = 0.2, rho = 0, beta = 3;
    bool scales_rate = false, normalises = false, restarts = true, redraws = false;
};

// What a pass that redraws adds to the gradient, so that it is seen.
constexpr double redrawn = 0.25;

std::vector<double> slope(std::vector<double> const& x) {
    auto g = x;
    for (std::size_t i = 0; i < x.size(); ++i) g[i] *= 1 + 0.5 * static_cast<double>(i);
    return g;
}

std::vector<double> by_hand(PlainMirror const& with, PlainBase base, int steps) {
    std::vector<double> x;
    for (int i = 0; i < 7; ++i) x.push_back(1 + 0.5 * i);
    auto const times = [](double factor, std::vector<double> u) {
        for (auto& each : u) each *= factor;
        return u;
    };
    for (int t = 0; t < steps; ++t) {
        auto const g = slope(x);
        if ((with.restarts ? t % 4 : t) % static_cast<int>(with.beta) != 0) {
            base.step(x, g, 1);
            continue;
        }
        double square = 0;
        for (double const each : g) square += each * each;
        auto s = g;
        if (with.normalises) {
            s = times(1 / std::sqrt(square), g);
        } else if (with.rho > 0) {
            auto y = x;
            for (std::size_t i = 0; i < x.size(); ++i) y[i] += with.rho * g[i] / std::sqrt(square);
            s = slope(y);
        }
        auto const half_step = [&](double alpha, std::vector<double> const& u) {
            base.step(x, with.scales_rate ? u : times(alpha, u), with.scales_rate ? alpha : 1);
        };
        half_step(with.alpha1, s);
        auto h = slope(x);
        if (with.redraws)
            for (auto& each : h) each += redrawn;
        half_step(-with.alpha2, h);
    }
    return x;
}

double redrawing_bowl(ParameterArena<float> const& x, ParameterArena<float>& gradient, Pass pass) {
    double const loss = bowl(x, gradient, pass);
    if (pass.redraws)
        for (float& each : gradient) each += static_cast<float>(redrawn);
    return loss;
}

void agrees(std::string const& name, PlainMirror const& with) {
    for (bool const is_adam : {true, false}) {
        std::string const base = is_adam ? ":base=adam" : ":base=sgd";
        CAPTURE(name, base);
        auto const optimizer = make_optimizer(parse_optimizer(name + base + ":learning_rate=0.1"));
        auto x = start();
        for (int step = 0; step < 11; ++step) {
            if (step % 4 == 0) optimizer->begin_epoch();
            optimizer->step(x, redrawing_bowl);
        }
        auto const expected = by_hand(with, {is_adam}, 11);
        for (std::size_t i = 0; i < expected.size(); ++i)
            CHECK(static_cast<double>(x.data()[i]) ==
                  Approx(expected[i]).epsilon(1e-4).margin(1e-5));
    }
}

}  // namespace

TEST_CASE("readings of MG and SGBD follow plain loops", "[optimizer]") {
    agrees("mg", {});
    agrees("mg:alphas=rate", {.scales_rate = true});
    agrees("mg:sign=-1", {.alpha2 = -0.2});
    agrees("mg:redraw=true", {.redraws = true});
    agrees("mg:beta=2:alpha1=1.5:alpha2=0.4:alphas=rate",
           {.alpha1 = 1.5, .alpha2 = 0.4, .beta = 2, .scales_rate = true});
    agrees("sgbd", {.alpha2 = 0.3, .rho = 0.05, .restarts = false});
    agrees("sgbd:normalised=true", {.alpha2 = 0.3, .normalises = true, .restarts = false});
    agrees("sgbd:alphas=rate",
           {.alpha2 = 0.3, .rho = 0.05, .scales_rate = true, .restarts = false});
    // They are not each other.
    auto const default_one = by_hand({}, {}, 11);
    CHECK(by_hand({.scales_rate = true}, {}, 11) != default_one);
    CHECK(by_hand({.alpha2 = -0.2}, {}, 11) != default_one);
    CHECK_THROWS_WITH(make_optimizer({"mg", "adam", {{"sign", "0.5"}}}),
                      ContainsSubstring("expected 1 or -1"));
    CHECK_THROWS_WITH(make_optimizer({"mg", "adam", {{"alphas", "step"}}}),
                      ContainsSubstring("gradient, rate"));
    CHECK_THROWS_WITH(make_optimizer({"sam", "adam", {{"redraw", "true"}}}),
                      ContainsSubstring("redraw"));
    for (auto const& each : optimizer_values({"mg", "adam", {{"beta", "5"}}})) {
        if (each.name == "beta" || each.name == "every") CHECK(std::get<double>(each.value) == 5);
    }
}

TEST_CASE("tables with rates of their own take their own steps", "[optimizer]") {
    auto const rates = parse_rates("x=0.5,matrix=0");
    CHECK(to_text(rates) == "x=0.5,matrix=0");
    auto const optimizer = make_optimizer(parse_optimizer("none:base=sgd:learning_rate=0.1"));
    group_parameters(*optimizer, {}, rates);
    auto x = start();
    optimizer->step(x, bowl);
    auto const s = start();
    for (std::size_t k = 0; k < 7; ++k) {
        float const scale = 1 + 0.5F * static_cast<float>(k);
        CHECK(x.data()[k] == Approx(s.data()[k] * (k < 3 ? 1 - 0.5F * scale : 1.0F)).epsilon(1e-6));
    }
    scale_learning_rates(*optimizer, 0.1, rates, 0);
    auto const before = std::vector<float>(x.begin(), x.end());
    optimizer->step(x, bowl);
    CHECK(std::vector<float>(x.begin(), x.end()) == before);

    CHECK_THROWS_WITH(parse_rates("x=1,x=2"), ContainsSubstring("'x' is there twice"));
    CHECK_THROWS_WITH(parse_rates("x"), ContainsSubstring("'x', expected"));
    CHECK_THROWS_WITH(parse_rates("x=-1"), ContainsSubstring("'x=-1', expected"));
    auto const other = make_optimizer({});
    CHECK_THROWS_WITH(group_parameters(*other, {"x"}, rates),
                      ContainsSubstring("'x' is not trained"));
    group_parameters(*other, {}, {{"y", 0.1}});
    CHECK_THROWS_WITH(other->bind(x),
                      ContainsSubstring("no block is named 'y'; known: 'x', 'matrix'"));
}
