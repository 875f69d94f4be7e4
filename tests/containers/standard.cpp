#include "containers/every_method.hpp"

#include <array>
#include <list>
#include <span>
#include <tuple>

using namespace polder;
using polder::test::check_every_method;

namespace {

template <class T>
struct Layer {
    std::vector<T> weight;
    std::array<T, 3> bias;
    T scale[2][2];
};

}  // namespace

template <class T>
struct polder::Members<Layer<T>> {
    static auto of(Layer<T>& layer) { return std::tie(layer.weight, layer.bias, layer.scale); }
};

TEST_CASE("every method on C arrays and std::array", "[containers]") {
    double array[5][4];
    check_every_method(array);
    std::array<double, 20> standard;
    check_every_method(standard);
}

TEST_CASE("every method on a std::span", "[containers]") {
    std::vector<double> memory(33);
    std::span<double> x(memory);
    check_every_method(x);
}

TEMPLATE_TEST_CASE("every method on a ParameterArena", "[containers]", float, double) {
    ParameterArena<TestType> x;
    x.add("weight", 3, 7);
    x.add("bias", 7, 1);
    check_every_method(x);
}

TEMPLATE_TEST_CASE("every method on a nest with structures of the user's own", "[containers]",
                   float, double) {
    using T = TestType;
    std::tuple<std::map<std::string, std::list<Layer<T>>>, std::vector<T>> x;
    std::get<0>(x)["up"].resize(2, {std::vector<T>(6), {}, {}});
    std::get<0>(x)["down"].resize(1, {std::vector<T>(5), {}, {}});
    std::get<1>(x).resize(3);
    check_every_method(x);
}

TEMPLATE_TEST_CASE("every method on a tuple of standard containers", "[containers]", float,
                   double) {
    using T = TestType;
    std::tuple<std::vector<T>, std::array<T, 4>, std::map<int, std::vector<T>>> x{
        std::vector<T>(8), {}, {{1, std::vector<T>(5)}, {2, std::vector<T>(7)}}};
    check_every_method(x);
}
