#include "containers/every_method.hpp"

#include <map>
#include <string>
#include <tuple>
#include <type_traits>

#include <thrust/device_vector.h>
#include <thrust/host_vector.h>

using namespace polder;
using polder::test::check_every_method;

static_assert(parameter_container<thrust::host_vector<double>>);
static_assert(parameter_container<std::vector<thrust::host_vector<float>>>);
static_assert(!parameter_container<thrust::host_vector<int>>);
static_assert(!parameter_container<thrust::host_vector<double> const>);

static_assert(std::is_same_v<memory_space_t<thrust::host_vector<double>>, HostMemory>);
static_assert(std::is_same_v<memory_space_t<thrust::device_vector<double>>, DeviceMemory>);
static_assert(std::is_same_v<scalar_t<thrust::device_vector<float>>, float>);
static_assert(!parameter_container<thrust::device_vector<double>>);
static_assert(
    !parameter_container<std::tuple<thrust::host_vector<double>, thrust::device_vector<double>>>);

TEST_CASE("every method on thrust::host_vector", "[containers][thrust]") {
    thrust::host_vector<double> x(31);
    check_every_method(x);
}

TEMPLATE_TEST_CASE("every method on a nest of thrust::host_vector", "[containers][thrust]", float,
                   double) {
    std::map<std::string, thrust::host_vector<TestType>> x{
        {"up", thrust::host_vector<TestType>(7)}, {"down", thrust::host_vector<TestType>(5)}};
    check_every_method(x);
}
