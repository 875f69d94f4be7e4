// Memory that is listed twice, or overlaps, is refused by every way into an optimizer, before anything is written.

#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include <polder/polder.hpp>

#if __has_include(<Eigen/Core>)
#include <Eigen/Core>
#endif

#include "support/valley.hpp"

using namespace polder;
using polder::test::flat;
using polder::test::Valley;

namespace {

// Weights that two layers have in common.
struct TiedNet {
    std::shared_ptr<std::vector<double>> encoder = std::make_shared<std::vector<double>>(3, 1.0);
    std::shared_ptr<std::vector<double>> decoder = encoder;
    TiedNet() = default;
    TiedNet(TiedNet const& other)
        : encoder(std::make_shared<std::vector<double>>(*other.encoder)),
          decoder(other.decoder == other.encoder
                      ? encoder
                      : std::make_shared<std::vector<double>>(*other.decoder)) {}
};

template <class C>
void refuses(C x, std::string const& message) {
    auto const before = flat(x);
    SAM optimizer{SGD{.learning_rate = 0.1}};
    WeightAverage average{SAM{SGD{}}};
    C& at = x;
    for (int again = 0; again < 2; ++again) {
        CHECK_THROWS_WITH(optimizer.step(at, Valley{}), message);
        CHECK_THROWS_WITH(optimizer.bind(at), message);
        CHECK_THROWS_WITH(average.step(at, Valley{}), message);
        CHECK_THROWS_WITH(check_closure(at, Valley{}), message);
    }
    CHECK(flat(x) == before);
}
std::string of_parameters(std::string const& a, std::string const& b) {
    return "polder: block '" + a + "' of the parameters and block '" + b +
           "' of the parameters share memory; expected all memory to be listed once";
}

}  // namespace

template <>
struct polder::Members<TiedNet> {
    static auto of(TiedNet& net) { return std::tie(*net.encoder, *net.decoder); }
    static auto names() { return std::vector<std::string>{"encoder", "decoder"}; }
};

TEST_CASE("memory that is listed twice is refused, with both names", "[blocks]") {
    std::vector<double> w{1, 2, 3, 4}, other{5, 6};
    const std::span<double> all(w);
    using Spans = std::vector<std::span<double>>;
    refuses(Spans{all, all}, of_parameters("0", "1"));
    refuses(Spans{all, other, all}, of_parameters("0", "2"));
    refuses(Spans{other, all.last(3), all.first(2)}, of_parameters("1", "2"));
    refuses(Spans{all.subspan(1, 1), other, all}, of_parameters("0", "2"));
    refuses(std::map<std::string, std::span<double>>{{"a", all}, {"b", all.last(1)}},
            of_parameters("a", "b"));
    refuses(TiedNet{}, of_parameters("encoder", "decoder"));

    std::tuple<ParameterArena<double>, std::span<double>> x;
    std::get<0>(x).add("items", 2, 3);
    std::get<1>(x) = std::span(std::get<0>(x).data() + 3, 3);
    SAM optimizer{SGD{}};
    CHECK_THROWS_WITH(optimizer.step(x, Valley{}), of_parameters("0.items", "1"));
#if __has_include(<Eigen/Core>)
    using Map = Eigen::Map<Eigen::VectorXd>;
    refuses(std::vector<Map>{Map(w.data(), 3), Map(w.data() + 2, 2)}, of_parameters("0", "1"));
#endif
}

TEST_CASE("blocks that touch, and blocks without coordinates, are apart", "[blocks]") {
    std::vector<double> w{1, 2, 3, 4};
    const std::span<double> all(w);
    std::vector<std::span<double>> x{all.last(2), all.first(0), all.first(2), all.subspan(2, 0)};
    SAM optimizer{SGD{}};
    optimizer.step(x, Valley{});
    optimizer.step(x, Valley{});
    CHECK(optimizer.steps() == 2);
}

TEST_CASE("blocks that come to share memory later are refused, and may part again", "[blocks]") {
    std::vector<double> a{1, 2}, b{3, 4};
    std::vector<std::span<double>> x{a, b};
    SAM optimizer{Adam{}};
    optimizer.step(x, Valley{});
    auto const before = a;
    x[1] = a;
    for (int again = 0; again < 2; ++again) {
        CHECK_THROWS_WITH(optimizer.step(x, Valley{}), of_parameters("0", "1"));
    }
    CHECK(a == before);
    x[1] = b;
    optimizer.step(x, Valley{});
    CHECK(optimizer.steps() == 2);
}

TEST_CASE("a gradient or an eps in the memory of the parameters is refused", "[blocks]") {
    using Spans = std::vector<std::span<double>>;
    std::vector<double> w{1, 2, 3, 4}, free{5, 6, 7, 8};
    Spans x{std::span(w).first(2), std::span(w).last(2)};
    auto const before = w;
    GSAM optimizer{SGD{.learning_rate = 0.1}};
    auto const of = [](std::string const& what, std::string const& a, std::string const& b) {
        return "polder: block '" + a + "' of the parameters and block '" + b + "' of " + what +
               " share memory; expected all memory to be listed once";
    };
    CHECK_THROWS_WITH(optimizer.perturbation(x, Valley{}, x), of("eps", "0", "0"));
    auto const nothing = [] { return 1.0; };
    for (int again = 0; again < 2; ++again) {
        CHECK_THROWS_WITH(optimizer.step_in_place(x, x, nothing), of("the gradient", "0", "0"));
        Spans half{std::span(free).first(2), std::span(w).subspan(1, 2)};
        CHECK_THROWS_WITH(optimizer.step_in_place(x, half, nothing), of("the gradient", "0", "1"));
        Spans twice{std::span(free).first(2), std::span(free).subspan(1, 2)};
        CHECK_THROWS_WITH(optimizer.step_in_place(x, twice, nothing),
                          "polder: block '0' of the gradient and block '1' of the gradient share "
                          "memory; expected all memory to be listed once");
        CHECK_THROWS_WITH(optimizer.step(x,
                                         [&](Spans const&, Spans& g) {
                                             g[0] = std::span(free).first(2);
                                             g[1] = std::span(w).last(2);
                                             return 1.0;
                                         }),
                          of("the gradient", "1", "1"));
    }
    CHECK(w == before);
    // A gradient that becomes the parameters.
    Spans gradient{std::span(free).first(2), std::span(free).last(2)};
    GSAM fresh{SGD{}};
    fresh.step_in_place(x, gradient, [&] {
        std::fill(free.begin(), free.end(), 1.0);
        return 1.0;
    });
    CHECK_THROWS_WITH(fresh.step_in_place(gradient, gradient, nothing),
                      of("the gradient", "0", "0"));
}
