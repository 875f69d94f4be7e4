#include "containers/every_method.hpp"

#include <array>
#include <tuple>

#include <Eigen/Core>

using namespace polder;
using polder::test::check_every_method;

TEST_CASE("every method on an Eigen matrix", "[containers][eigen]") {
    Eigen::MatrixXd x(7, 9);
    check_every_method(x);
}

TEMPLATE_TEST_CASE("every method on a nest of Eigen's types", "[containers][eigen]", float,
                   double) {
    using T = TestType;
    using RowMajor = Eigen::Matrix<T, 4, Eigen::Dynamic, Eigen::RowMajor>;
    std::array<T, 12> memory;
    std::tuple<Eigen::VectorX<T>, RowMajor, Eigen::ArrayXX<T>, Eigen::Map<Eigen::Matrix<T, 3, 4>>>
        x{Eigen::VectorX<T>(5), RowMajor(4, 3), Eigen::ArrayXX<T>(2, 5),
          Eigen::Map<Eigen::Matrix<T, 3, 4>>(memory.data())};
    check_every_method(x);
}

TEMPLATE_TEST_CASE("every method on an array of maps", "[containers][eigen]", float, double) {
    using Map = Eigen::Map<Eigen::Matrix<TestType, 3, 4>>;
    std::array<TestType, 24> memory;
    std::array<Map, 2> x{Map(memory.data()), Map(memory.data() + 12)};
    check_every_method(x);
}
