#include "containers/every_method.hpp"
#include "support/named_blocks.hpp"

#include <tuple>

#include <armadillo>

using namespace polder;
using test::check_every_method;
using test::Named;
using test::named_blocks;

static_assert(parameter_container<arma::mat>);
static_assert(parameter_container<arma::fmat>);
static_assert(parameter_container<arma::vec>);
static_assert(parameter_container<arma::rowvec>);
static_assert(parameter_container<arma::cube>);
static_assert(parameter_container<arma::mat::fixed<3, 2>>);
static_assert(parameter_container<std::vector<arma::mat>>);

static_assert(!parameter_container<arma::imat>);
static_assert(!parameter_container<arma::cx_mat>);
static_assert(!parameter_container<arma::mat const>);
static_assert(!parameter_container<arma::sp_mat>);
static_assert(!parameter_container<arma::subview<double>>);
static_assert(!parameter_container<arma::subview_col<double>>);
static_assert(!parameter_container<arma::diagview<double>>);

TEST_CASE("Armadillo's blocks have their shape", "[containers][armadillo]") {
    std::tuple<arma::mat, arma::vec, arma::rowvec, arma::cube, arma::mat::fixed<2, 5>> nest{
        arma::mat(3, 4), arma::vec(5), arma::rowvec(6), arma::cube(2, 3, 4), {}};
    CHECK(named_blocks(nest) == Named{{"0", 12, {3, 4, false}},
                                      {"1", 5, {5, 1, true}},
                                      {"2", 6, {6, 1, true}},
                                      {"3", 24, {2, 12, false}},
                                      {"4", 10, {2, 5, false}}});
}

TEST_CASE("a twin of a matrix in foreign memory has memory of its own", "[containers][armadillo]") {
    std::vector<double> memory(6, 1);
    arma::mat x(memory.data(), 2, 3, false, true);
    Twin twin(x);
    twin.get().fill(2);
    CHECK(twin.get().n_rows == 2);
    CHECK(memory == std::vector<double>(6, 1));
}

TEST_CASE("every method on arma::mat", "[containers][armadillo]") {
    arma::mat x(4, 6);
    check_every_method(x);
}

TEMPLATE_TEST_CASE("every method on a nest of Armadillo's types", "[containers][armadillo]", float,
                   double) {
    using T = TestType;
    std::tuple<arma::Col<T>, arma::Row<T>, arma::Cube<T>,
               typename arma::Mat<T>::template fixed<3, 2>>
        x{arma::Col<T>(5), arma::Row<T>(4), arma::Cube<T>(2, 3, 2), {}};
    check_every_method(x);
}
