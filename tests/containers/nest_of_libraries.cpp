// One container made of every library's.
#include "containers/every_method.hpp"

#include <map>
#include <string>
#include <tuple>

#include <Eigen/Core>
#include <armadillo>
#include <thrust/host_vector.h>
#if __has_include(<xtensor/containers/xtensor.hpp>)
#include <xtensor/containers/xtensor.hpp>
#else
#include <xtensor/xtensor.hpp>
#endif

using namespace polder;

TEST_CASE("every method on a nest of all libraries' containers", "[containers]") {
    using Libraries = std::tuple<xt::xtensor<double, 2>, arma::mat, thrust::host_vector<double>,
                                 Eigen::MatrixXd, ParameterArena<double>>;
    std::map<std::string, Libraries> x;
    for (const unsigned size : {2u, 5u}) {
        ParameterArena<double> arena;
        arena.add("matrix", size, 3);
        x.emplace(std::to_string(size), Libraries{xt::zeros<double>({size, 3u}), arma::mat(size, 2),
                                                  thrust::host_vector<double>(size),
                                                  Eigen::MatrixXd(3, int(size)), arena});
    }
    test::check_every_method(x);
}
