// An optimizer of polder in the place of one of ensmallen's, on functions with ensmallen's interface, and on ensmallen's
// own functions and callbacks where its headers are found.
#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <armadillo>
#ifdef POLDER_ENSMALLEN
#include <ensmallen.hpp>
#endif

#include <polder/ensmallen.hpp>
#include <polder/polder.hpp>

using namespace polder;

namespace {

// The sum over i of |x - a_i|^2 / 2 + (x_0 - a_i0)^4.
struct Points {
    arma::mat a = make();
    std::vector<arma::uword> order = {0, 1, 2, 3, 4, 5, 6};
    std::size_t shuffled = 0;

    static arma::mat make() {
        arma::mat points(3, 7);
        for (arma::uword k = 0; k < points.n_elem; ++k)
            points(k) = std::sin(1.7 * static_cast<double>(k));
        return points;
    }
    std::size_t NumFunctions() const { return a.n_cols; }
    void Shuffle() {
        std::rotate(order.begin(), order.begin() + 3, order.end());
        ++shuffled;
    }
    double of_batch(arma::mat const& x, std::size_t begin, arma::mat* gradient,
                    std::size_t size) const {
        double loss = 0;
        if (gradient != nullptr) gradient->zeros(x.n_rows, x.n_cols);
        for (std::size_t k = begin; k < begin + size; ++k) {
            arma::vec const apart = x.col(0) - a.col(order[k]);
            loss += arma::dot(apart, apart) / 2 + std::pow(apart(0), 4);
            if (gradient == nullptr) continue;
            gradient->col(0) += apart;
            (*gradient)(0) += 4 * std::pow(apart(0), 3);
        }
        return loss;
    }
};
struct Together : Points {
    double EvaluateWithGradient(arma::mat const& x, std::size_t begin, arma::mat& gradient,
                                std::size_t size) const {
        return of_batch(x, begin, &gradient, size);
    }
};
struct Apart : Points {
    double Evaluate(arma::mat const& x, std::size_t begin, std::size_t size) const {
        return of_batch(x, begin, nullptr, size);
    }
    void Gradient(arma::mat const& x, std::size_t begin, arma::mat& gradient,
                  std::size_t size) const {
        of_batch(x, begin, &gradient, size);
    }
};
// As mlpack's FFN: it owns its parameters, hands them to Optimize, and computes at these whatever it is handed.
struct Network : Points {
    arma::mat own = arma::mat(3, 1, arma::fill::ones);
    double EvaluateWithGradient(arma::mat const&, std::size_t begin, arma::mat& gradient,
                                std::size_t size) const {
        return of_batch(own, begin, &gradient, size);
    }
};

arma::mat start() { return arma::mat(3, 1, arma::fill::ones); }
bool same(arma::mat const& a, arma::mat const& b) {
    return a.n_elem == b.n_elem && std::equal(a.begin(), a.end(), b.begin());
}

// Steps of the optimizer by itself: batches of 3, 3 and 1.
template <class Method>
arma::mat by_hand(Method method, std::size_t epochs, double* sum = nullptr) {
    Together f;
    arma::mat x = start();
    for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
        if (epoch > 0) f.Shuffle();
        method.begin_epoch();
        double total = 0;
        for (std::size_t at : {0u, 3u, 6u}) {
            auto const report =
                method.step(x, [&](arma::mat const& here, arma::mat& gradient, Pass pass) {
                    std::size_t begin = at;
                    if (pass.batch == Batch::second) begin = (at + 3) % 9;
                    std::size_t const size = begin == 6 ? 1 : 3;
                    double const loss = f.of_batch(here, begin, &gradient, size);
                    gradient /= static_cast<double>(size);
                    return loss / static_cast<double>(size);
                });
            total += report.loss * (at == 6 ? 1 : 3);
        }
        if (sum != nullptr) *sum = total;
    }
    return x;
}

// Every callback, as a line of text.
struct Log {
    std::vector<std::string> calls;
    double evaluated = 0, mean = 0;
    std::size_t stop_after = std::numeric_limits<std::size_t>::max();

    bool say(char const* what) {
        calls.emplace_back(what);
        return calls.size() >= stop_after;
    }
    template <class O, class F, class X>
    void BeginOptimization(O&, F&, X&) {
        say("begin optimization");
    }
    template <class O, class F, class X>
    void EndOptimization(O&, F&, X&) {
        say("end optimization");
    }
    template <class O, class F, class X>
    bool BeginEpoch(O&, F&, X const&, std::size_t, double) {
        return say("begin epoch");
    }
    template <class O, class F, class X>
    bool EndEpoch(O&, F&, X const&, std::size_t, double objective) {
        mean = objective;
        return say("end epoch");
    }
    template <class O, class F, class X>
    bool Evaluate(O&, F&, X const&, double objective) {
        evaluated += objective;
        return say("evaluate");
    }
    template <class O, class F, class X>
    bool Gradient(O&, F&, X const&, X const&) {
        return say("gradient");
    }
    template <class O, class F, class X>
    bool StepTaken(O&, F&, X const&) {
        return say("step");
    }
};

}  // namespace

TEST_CASE("Ensmallen steps as the optimizer by itself", "[adapters][ensmallen]") {
    auto const check = [](auto const& method) {
        double sum = 0;
        const arma::mat expected = by_hand(method, 4, &sum);
        Together together;
        Apart apart;
        Network network;
        arma::mat x = start(), y = start();
        Ensmallen optimizer{method, 3, 4};
        CHECK(std::abs(optimizer.Optimize(together, x) - sum) < 1e-12);
        optimizer.Optimize(apart, y);
        optimizer.Optimize(network, network.own);
        CHECK(same(x, expected));
        CHECK(same(y, expected));
        CHECK(same(network.own, expected));
        CHECK(together.shuffled == 3);
    };
    check(Plain{Adam{.learning_rate = 0.05}});
    check(SAM{Adam{.learning_rate = 0.05}, {.rho = 0.2}});
    check(BSAMPlus{SGD{.learning_rate = 0.05, .momentum = 0.9}, {.rho = 0.2}});
}

TEST_CASE("sharpness is measured on a function that ignores coordinates", "[adapters][ensmallen]") {
    Network plain, sharp;
    Ensmallen{Plain{SGD{.learning_rate = 0.05}}, 7, 5}.Optimize(plain, plain.own);
    Ensmallen{SAM{SGD{.learning_rate = 0.05}, {.rho = 0.3}}, 7, 5}.Optimize(sharp, sharp.own);
    CHECK_FALSE(same(plain.own, sharp.own));
}

TEST_CASE("Ensmallen calls callbacks in ensmallen's order", "[adapters][ensmallen]") {
    Together f;
    arma::mat x = start();
    Log log;
    struct {
    } other;  // a callback has those members that it wants
    Ensmallen optimizer{SAM{SGD{.learning_rate = 0.01}}, 4, 1};
    const double sum = optimizer.Optimize(f, x, log, other);
    CHECK(log.calls == std::vector<std::string>{"begin optimization", "begin epoch", "evaluate",
                                                "gradient", "gradient", "step", "evaluate",
                                                "gradient", "gradient", "step", "end epoch",
                                                "end optimization"});
    CHECK(log.evaluated == sum);
    CHECK(log.mean == sum / 7);
}

TEST_CASE("a callback that returns true stops before the next step", "[adapters][ensmallen]") {
    for (std::size_t stop_after : {2u, 3u, 4u, 6u, 11u}) {
        CAPTURE(stop_after);
        Together f;
        arma::mat x = start();
        Log log;
        log.stop_after = stop_after;
        Ensmallen{SAM{SGD{.learning_rate = 0.01}}, 4, 5}.Optimize(f, x, log);
        CHECK(std::count(log.calls.begin(), log.calls.end(), "step") == (stop_after == 2    ? 0
                                                                         : stop_after == 11 ? 2
                                                                                            : 1));
        CHECK(log.calls.back() == "end optimization");
    }
}

TEST_CASE("tolerance and limits end the epochs", "[adapters][ensmallen]") {
    Together f;
    arma::mat x = start();
    Log log;
    auto const steps = [&] { return std::count(log.calls.begin(), log.calls.end(), "step"); };

    Ensmallen optimizer{SAM{SGD{.learning_rate = 0.01}}, 4, 100};
    optimizer.Tolerance() = 1e9;
    optimizer.Optimize(f, x, log);
    CHECK(steps() == 4);  // two epochs, which are compared

    log = {};
    optimizer.Tolerance() = -1;
    optimizer.MaxIterations(10);  // functions: 4, 3 and 3
    optimizer.Optimize(f, x, log);
    CHECK(steps() == 3);
    CHECK(optimizer.MaxIterations() == 10);

    log = {};
    optimizer.MaxIterations(0);
    optimizer.Epochs() = 2;
    optimizer.Shuffle() = false;
    f.shuffled = 0;
    optimizer.Optimize(f, x, log);
    CHECK(steps() == 4);
    CHECK(f.shuffled == 0);
    CHECK(optimizer.MaxIterations() == 14);
}

TEST_CASE("each call of Optimize starts anew, unless it is to go on", "[adapters][ensmallen]") {
    const SAM method{Adam{.learning_rate = 0.05}, {.rho = 0.1}};
    auto const twice = [&](bool reset) {
        Ensmallen optimizer{method, 7, 3, -1, false};
        optimizer.ResetPolicy() = reset;
        Together f;
        arma::mat x = start();
        optimizer.Optimize(f, x);
        x = start();
        optimizer.Optimize(f, x);
        return x;
    };
    Together f;
    arma::mat once = start();
    Ensmallen{method, 7, 3, -1, false}.Optimize(f, once);
    CHECK(same(twice(true), once));
    CHECK_FALSE(same(twice(false), once));
    // So it may be used for coordinates of another shape.
    struct Wide : Points {
        double EvaluateWithGradient(arma::mat const& x, std::size_t, arma::mat& gradient,
                                    std::size_t) const {
            gradient = x;
            return arma::dot(x, x) / 2;
        }
    } wide;
    Ensmallen optimizer{method};
    optimizer.Optimize(f, once);
    arma::mat other(2, 5, arma::fill::ones);
    optimizer.StepSize(0.01);
    optimizer.Optimize(wide, other);
    CHECK(arma::dot(other, other) < 10);
    CHECK(optimizer.StepSize() == 0.01);
}

TEST_CASE("Ensmallen says what is out of range", "[adapters][ensmallen]") {
    const SAM method{Adam{}};
    CHECK_THROWS_WITH((Ensmallen{method, 0}),
                      "polder: Ensmallen's batch_size = 0 is out of range; expected a number >= 1");
    CHECK_THROWS_WITH((Ensmallen{method, 1, 0}),
                      "polder: Ensmallen's epochs = 0 is out of range; expected a number >= 1");
    CHECK_THROWS_WITH((Ensmallen{method, 1, 1, std::nan("")}),
                      ContainsSubstring("tolerance = nan is out of range"));
    Together empty;
    empty.a.set_size(3, 0);
    arma::mat x = start();
    CHECK_THROWS_WITH((Ensmallen{method}.Optimize(empty, x)), ContainsSubstring("no functions"));
}

#ifdef POLDER_ENSMALLEN
TEST_CASE("Ensmallen over a plain base is ensmallen's own optimizer", "[adapters][ensmallen]") {
    Together f, g;
    arma::mat x = start(), y = start();
    Ensmallen ours{Plain{SGD{.learning_rate = 0.05}}, 3, 6, -1};
    ens::StandardSGD theirs(0.05, 3, 6 * 7, -1);
    const double sum = ours.Optimize(f, x);
    CHECK(std::abs(sum - theirs.Optimize(g, y)) < 1e-10);
    CHECK(arma::abs(x - y).max() < 1e-12);

    x = y = start();
    Ensmallen our_adam{Plain{Adam{.learning_rate = 0.02}}, 1, 6, -1, false};
    ens::Adam their_adam(0.02, 1, 0.9, 0.999, 1e-8, 6 * 7, -1, false);
    our_adam.Optimize(f, x);
    their_adam.Optimize(g, y);
    CHECK(arma::abs(x - y).max() < 1e-6);
}

TEST_CASE("Ensmallen takes ensmallen's callbacks", "[adapters][ensmallen]") {
    Together f;
    arma::mat x = start();
    std::ostringstream bar, losses;
    ens::StoreBestCoordinates<arma::mat> best;
    Ensmallen sam{SAM{Adam{.learning_rate = 0.05}, {.rho = 0.1}}, 3, 6};
    sam.Optimize(f, x, ens::PrintLoss(losses), ens::ProgressBar(10, bar), best,
                 ens::GradClipByNorm(1.0), ens::EarlyStopAtMinLoss(100));
    const std::string printed = losses.str();
    CHECK(std::count(printed.begin(), printed.end(), '\n') == 6);
    CHECK(bar.str().find("Epoch 6/6") != std::string::npos);
    CHECK(best.BestCoordinates().n_elem == 3);
}
#endif
