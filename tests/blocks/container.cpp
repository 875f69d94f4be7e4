#include "support/catch.hpp"

#include <array>
#include <list>
#include <map>
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

namespace {

struct Net {
    std::vector<float> weight;
    std::array<float, 2> bias;
};

}  // namespace

template <>
struct polder::Members<Net> {
    static auto of(Net& net) { return std::tie(net.weight, net.bias); }
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

static_assert(!parameter_container<float>);
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
static_assert(!parameter_container<Eigen::Block<Eigen::MatrixXd>>);
#endif

TEST_CASE("blocks of a nest come in order", "[blocks]") {
    std::tuple<std::vector<float>, std::map<std::string, std::array<float, 2>>, Net> nest{
        {1, 2, 3}, {{"b", {6, 7}}, {"a", {4, 5}}}, {{8, 9}, {10, 11}}};
    CHECK(test::flat(nest) == std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
}

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
