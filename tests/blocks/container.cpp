#include "support/catch.hpp"

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include <polder/polder.hpp>

#if __has_include(<Eigen/Core>)
#include <Eigen/Core>
#endif
#if __has_include(<unsupported/Eigen/CXX11/Tensor>)
#include <unsupported/Eigen/CXX11/Tensor>
#endif

#include "support/named_blocks.hpp"
#include "support/valley.hpp"

using namespace polder;
using test::Named;
using test::named_blocks;

namespace {

struct Net {
    std::vector<float> weight;
    std::array<float, 2> bias;
};

struct ArrayNet {
    float weight[3][4];
    float bias[3];
    float cube[2][3][4];
};

// A copy of it refers to the same memory.
struct SharedNet {
    std::shared_ptr<std::vector<float>> weight = std::make_shared<std::vector<float>>(3);
};

struct NamedNet : Net {};
struct MisnamedNet : Net {};

}  // namespace

template <>
struct polder::Members<Net> {
    static auto of(Net& net) { return std::tie(net.weight, net.bias); }
};

template <>
struct polder::Members<ArrayNet> {
    static auto of(ArrayNet& net) { return std::tie(net.weight, net.bias, net.cube); }
    static auto names() { return std::array{"weight", "bias", "cube"}; }
};

template <>
struct polder::Members<SharedNet> {
    static auto of(SharedNet& net) { return std::tie(*net.weight); }
};

template <>
struct polder::Members<NamedNet> {
    static auto of(NamedNet& net) { return std::tie(net.weight, net.bias); }
    static auto names() { return std::array{"weight", "bias"}; }
};

template <>
struct polder::Members<MisnamedNet> {
    static auto of(MisnamedNet& net) { return std::tie(net.weight, net.bias); }
    static auto names() { return std::vector<std::string_view>{"weight"}; }
};

static_assert(parameter_container<std::vector<float>>);
static_assert(parameter_container<std::array<double, 3>>);
static_assert(parameter_container<std::span<float>>);
static_assert(parameter_container<std::span<double, 4>>);
static_assert(parameter_container<ParameterArena<float>>);
static_assert(parameter_container<std::vector<std::vector<double>>>);
static_assert(parameter_container<std::tuple<std::vector<float>, std::array<float, 3>>>);
static_assert(parameter_container<std::map<std::string, std::list<std::vector<float>>>>);
static_assert(parameter_container<std::array<std::span<float>, 2>>);
static_assert(parameter_container<Net>);
static_assert(parameter_container<std::vector<Net>>);

static_assert(parameter_container<std::tuple<std::vector<float>, float>>);
static_assert(parameter_container<std::map<std::string, double>>);
static_assert(!parameter_container<std::tuple<std::vector<float>, double>>);
static_assert(parameter_container<std::vector<std::vector<float>*>>);
static_assert(parameter_container<std::vector<std::unique_ptr<std::vector<float>>>>);
static_assert(parameter_container<std::vector<std::shared_ptr<std::vector<float>>>>);
static_assert(!parameter_container<std::vector<float*>>);
static_assert(!parameter_container<std::vector<float>*>);
static_assert(!parameter_container<std::unique_ptr<float[]>>);

static_assert(parameter_container<double[3]>);
static_assert(parameter_container<float[3][4]>);
static_assert(parameter_container<std::vector<float>[2]>);

static_assert(!parameter_container<float>);
static_assert(!parameter_container<float const[3]>);
static_assert(!parameter_container<int[3]>);
static_assert(!parameter_container<std::unordered_map<int, std::vector<float>>>);
static_assert(!parameter_container<std::vector<int>>);
static_assert(!parameter_container<std::vector<bool>>);
static_assert(!parameter_container<std::string>);
static_assert(!parameter_container<std::list<float>>);
static_assert(!parameter_container<std::span<float const>>);
static_assert(!parameter_container<std::vector<float> const>);
static_assert(!parameter_container<std::tuple<std::vector<float>, std::vector<double>>>);
static_assert(!parameter_container<std::tuple<std::vector<float>, int>>);
static_assert(!parameter_container<std::tuple<>>);
static_assert(!parameter_container<std::span<std::vector<float>>>);

#if __has_include(<Eigen/Core>)
static_assert(parameter_container<Eigen::VectorXf>);
static_assert(parameter_container<Eigen::Matrix3d>);
static_assert(parameter_container<Eigen::ArrayXXd>);
static_assert(parameter_container<Eigen::Matrix<float, Eigen::Dynamic, 4, Eigen::RowMajor>>);
static_assert(parameter_container<Eigen::Map<Eigen::MatrixXd>>);
static_assert(parameter_container<std::vector<Eigen::MatrixXf>>);
static_assert(!parameter_container<Eigen::MatrixXi>);
static_assert(!parameter_container<Eigen::Map<Eigen::MatrixXd const>>);
static_assert(!parameter_container<Eigen::Map<Eigen::MatrixXd, 0, Eigen::OuterStride<>>>);
static_assert(!parameter_container<Eigen::Map<Eigen::VectorXd, 0, Eigen::InnerStride<2>>>);
static_assert(!parameter_container<Eigen::Ref<Eigen::MatrixXd>>);
static_assert(parameter_container<Eigen::Ref<Eigen::VectorXd>>);
static_assert(parameter_container<Eigen::Ref<Eigen::RowVectorXf>>);
static_assert(!parameter_container<Eigen::Ref<Eigen::VectorXd const>>);
static_assert(!parameter_container<Eigen::Ref<Eigen::VectorXd, 0, Eigen::InnerStride<>>>);
static_assert(!parameter_container<Eigen::Block<Eigen::MatrixXd>>);
#endif

TEST_CASE("blocks of a nest come in order", "[blocks]") {
    std::tuple<std::vector<float>, std::map<std::string, std::array<float, 2>>, Net> nest{
        {1, 2, 3}, {{"b", {6, 7}}, {"a", {4, 5}}}, {{8, 9}, {10, 11}}};
    CHECK(test::flat(nest) == std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
}

TEST_CASE("a single block is named parameters", "[blocks]") {
    std::vector<double> vector(5);
    CHECK(named_blocks(vector) == Named{{"parameters", 5, {5, 1, true}}});
}

TEST_CASE("blocks are named by keys, members and indices", "[blocks]") {
    std::map<std::string, std::vector<NamedNet>> layers{{"up", {{{{1, 2, 3}, {}}}, {{{4}, {}}}}},
                                                        {"down", {{{{5, 6}, {}}}}}};
    CHECK(named_blocks(layers) == Named{{"down.0.weight", 2, {2, 1, true}},
                                        {"down.0.bias", 2, {2, 1, true}},
                                        {"up.0.weight", 3, {3, 1, true}},
                                        {"up.0.bias", 2, {2, 1, true}},
                                        {"up.1.weight", 1, {1, 1, true}},
                                        {"up.1.bias", 2, {2, 1, true}}});

    std::tuple<Net, std::map<int, std::array<float, 2>>> nest{{{1, 2, 3}, {}},
                                                              {{-7, {}}, {12, {}}}};
    CHECK(named_blocks(nest) == Named{{"0.0", 3, {3, 1, true}},
                                      {"0.1", 2, {2, 1, true}},
                                      {"1.-7", 2, {2, 1, true}},
                                      {"1.12", 2, {2, 1, true}}});

    enum class Part { encoder, decoder };
    std::map<Part, std::vector<float>> parts{{Part::encoder, {1}}, {Part::decoder, {2, 3}}};
    CHECK(named_blocks(parts) == Named{{"0", 1, {1, 1, true}}, {"1", 2, {2, 1, true}}});
}

TEST_CASE("C arrays are blocks with a shape", "[blocks]") {
    ArrayNet net{};
    CHECK(named_blocks(net) == Named{{"weight", 12, {3, 4, true}},
                                     {"bias", 3, {3, 1, true}},
                                     {"cube", 24, {2, 12, true}}});
    net.weight[1][2] = 5;
    CHECK(test::flat(net)[6] == 5);

    double matrix[2][3] = {{1, 2, 3}, {4, 5, 6}};
    CHECK(named_blocks(matrix) == Named{{"parameters", 6, {2, 3, true}}});
    Twin twin(matrix);
    CHECK(test::flat(twin.get()) == std::vector<double>{1, 2, 3, 4, 5, 6});
    twin.get()[1][2] = 7;
    CHECK(matrix[1][2] == 6);
}

namespace {

// Three steps of SAM over x, with the loss of Valley.
template <class C>
std::vector<double> after_steps(C x) {
    test::set_start(x);
    SAM optimizer{Adam{.learning_rate = 0.1}};
    for (int t = 0; t < 3; ++t) optimizer.step(x, test::Valley{});
    return test::flat(x);
}

}  // namespace

TEST_CASE(
    "numbers by themselves, vectors behind pointers and Eigen's Ref and Tensor are stepped as "
    "vectors are",
    "[blocks]") {
    auto const expected = after_steps(std::vector<double>(6));
    using V = std::vector<double>;
    CHECK(after_steps(std::tuple<V, double, V>(V(3), 0, V(2))) == expected);
    std::tuple<double, V> named(0, V(5));
    CHECK(named_blocks(named) == Named{{"0", 1, {1, 1, true}}, {"1", 5, {5, 1, true}}});

    V a(4), b(2);
    CHECK(after_steps(std::vector<V*>{&a, &b}) == expected);
    CHECK(after_steps(std::vector<std::shared_ptr<V>>{std::make_shared<V>(4),
                                                      std::make_shared<V>(2)}) == expected);
    std::vector<std::unique_ptr<V>> owned;
    owned.push_back(std::make_unique<V>(4));
    owned.push_back(std::make_unique<V>(2));
    CHECK(after_steps(std::move(owned)) == expected);
    std::vector<V*> null{&a, nullptr};
    SAM optimizer{SGD{}};
    CHECK_THROWS_WITH(optimizer.step(null, test::Valley{}),
                      "polder: a pointer to parameters is null");
#if __has_include(<Eigen/Core>)
    Eigen::VectorXd v(6);
    CHECK(after_steps(Eigen::Ref<Eigen::VectorXd>(v)) == expected);
    CHECK(v[5] == expected[5]);
#endif
#if __has_include(<unsupported/Eigen/CXX11/Tensor>)
    CHECK(after_steps(Eigen::Tensor<double, 3>(1, 2, 3)) == expected);
#endif
}

TEST_CASE("a container whose copies share memory is refused", "[blocks]") {
    const SharedNet net;
    CHECK_THROWS_WITH(Twin(net), "polder: block '0' of a copy of the parameters is the original's "
                                 "memory, expected a deep copy");
}

TEST_CASE("every member needs a name, if one has", "[blocks]") {
    MisnamedNet net;
    CHECK_THROWS_WITH(named_blocks(net), "polder: Members<...>::names() gives 1 names, expected 2");
}

#if __has_include(<Eigen/Core>)
TEST_CASE("Eigen's blocks have their shape", "[blocks][eigen]") {
    std::vector<double> memory(24);
    std::tuple<Eigen::MatrixXd, Eigen::Matrix<double, Eigen::Dynamic, 4, Eigen::RowMajor>,
               Eigen::VectorXd, Eigen::RowVector3d, Eigen::ArrayXXd, Eigen::Map<Eigen::MatrixXd>>
        nest{Eigen::MatrixXd(3, 2), Eigen::MatrixXd(5, 4),
             Eigen::VectorXd(7),    Eigen::RowVector3d::Zero(),
             Eigen::ArrayXXd(2, 6), Eigen::Map<Eigen::MatrixXd>(memory.data(), 4, 6)};
    CHECK(named_blocks(nest) == Named{{"0", 6, {3, 2, false}},
                                      {"1", 20, {5, 4, true}},
                                      {"2", 7, {7, 1, true}},
                                      {"3", 3, {3, 1, true}},
                                      {"4", 12, {2, 6, false}},
                                      {"5", 24, {4, 6, false}}});
}
#endif

TEST_CASE("a twin has memory of its own", "[blocks]") {
    std::vector<float> memory{1, 2, 3, 4, 5};
    std::tuple<std::span<float>, std::vector<float>, std::span<float>> original{
        std::span(memory).first(2), {7, 8}, std::span(memory).last(3)};
    Twin twin(original);
    test::set_start(twin.get());
    CHECK(memory == std::vector<float>{1, 2, 3, 4, 5});
    CHECK(std::get<1>(original) == std::vector<float>{7, 8});
    CHECK(std::get<0>(twin.get()).size() == 2);
    CHECK(std::get<2>(twin.get()).size() == 3);
    CHECK(std::get<2>(twin.get()).data() != std::get<2>(original).data());
}

#if __has_include(<Eigen/Core>)
TEST_CASE("a twin of an Eigen::Map has its shape and memory of its own", "[blocks][eigen]") {
    std::vector<double> memory{1, 2, 3, 4, 5, 6};
    Eigen::Map<Eigen::MatrixXd> map(memory.data(), 2, 3);
    Twin twin(map);
    twin.get().setZero();
    CHECK(twin.get().rows() == 2);
    CHECK(twin.get().cols() == 3);
    CHECK(memory[5] == 6);
}

TEST_CASE("twins of aligned maps are aligned", "[blocks][eigen]") {
    using Map = Eigen::Map<Eigen::VectorXf, Eigen::Aligned64>;
    ParameterArena<float> arena;  // begins at a cache line
    arena.add("values", 32, 1);
    std::array<Map, 2> maps{Map(arena.data(), 3), Map(arena.data() + 16, 16)};
    Twin twin(maps);
    for (Map& map : twin.get()) {
        CHECK(reinterpret_cast<std::uintptr_t>(map.data()) % 64 == 0);
    }
}
#endif

TEST_CASE("an arena lays its matrices out one after the other", "[blocks][arena]") {
    ParameterArena<double> arena;
    arena.add("user", 3, 2);
    arena.add("item", 2, 2);
    arena["item"](1, 0) = 5;
    CHECK(arena.size() == 10);
    CHECK(arena.data()[8] == 5);
    CHECK(std::as_const(arena)["item"](1, 0) == 5);

    ParameterArena<double> gradient = arena;
    gradient["item"](1, 0) = 7;
    CHECK(arena["item"](1, 0) == 5);
    CHECK(gradient.entries() == arena.entries());
}

TEST_CASE("each matrix of an arena is a block", "[blocks][arena]") {
    ParameterArena<double> arena;
    CHECK(named_blocks(arena).empty());
    arena.add("user", 3, 2);
    arena.add("none", 0, 4);
    arena.add("item", 2, 5);
    CHECK(named_blocks(arena) ==
          Named{{"user", 6, {3, 2, true}}, {"none", 0, {0, 4, true}}, {"item", 10, {2, 5, true}}});

    std::map<std::string, ParameterArena<double>> nest{{"tower", arena}};
    CHECK(named_blocks(nest) == Named{{"tower.user", 6, {3, 2, true}},
                                      {"tower.none", 0, {0, 4, true}},
                                      {"tower.item", 10, {2, 5, true}}});
}

TEST_CASE("a step of an arena without matrices changes nothing", "[blocks][arena]") {
    ParameterArena<double> arena;
    SAM optimizer{SGD{}};
    const Report report =
        optimizer.step(arena, [](auto const&, ParameterArena<double>&) { return 3.0; });
    CHECK(report.loss == 3);
    CHECK(report.perturbation_norm == 0);
}

TEST_CASE("an arena's errors name the parameter", "[blocks][arena]") {
    ParameterArena<float> arena;
    arena.add("user", 3, 2);
    CHECK_THROWS_WITH(arena.add("user", 1, 1), "polder: parameter 'user' is in the arena already");
    CHECK_THROWS_WITH(arena["item"], "polder: unknown parameter 'item'; known: 'user'");
    CHECK_THROWS_WITH(arena.add("", 1, 1), "polder: a parameter needs a name");
    const std::size_t large = std::size_t{1} << 40;
    CHECK_THROWS_WITH(arena.add("large", large, large),
                      ContainsSubstring("does not fit into memory"));
    CHECK(arena.size() == 6);
    CHECK_FALSE(arena.contains("large"));
}
