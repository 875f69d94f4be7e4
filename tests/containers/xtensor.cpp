#include "containers/every_method.hpp"
#include "support/named_blocks.hpp"

#include <array>
#include <tuple>

#if __has_include(<xtensor/containers/xarray.hpp>)
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xarray.hpp>
#include <xtensor/containers/xfixed.hpp>
#include <xtensor/containers/xtensor.hpp>
#include <xtensor/views/xstrided_view.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xfixed.hpp>
#include <xtensor/xstrided_view.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>
#endif

using namespace polder;
using test::check_every_method;
using test::Named;
using test::named_blocks;

namespace {

constexpr auto columns = xt::layout_type::column_major;
using Shape = std::array<std::size_t, 2>;

// xt::adapt of a container and of a pointer.
template <class T>
using Adapted = decltype(xt::adapt(std::declval<std::vector<T>&>(), Shape()));
template <class T>
using Buffer = decltype(xt::adapt(std::declval<T*>(), std::size_t(), xt::no_ownership(), Shape()));

}  // namespace

static_assert(parameter_container<xt::xarray<double>>);
static_assert(parameter_container<xt::xarray<float, columns>>);
static_assert(parameter_container<xt::xtensor<float, 3>>);
static_assert(parameter_container<xt::xtensor_fixed<double, xt::xshape<2, 3>>>);
static_assert(parameter_container<Adapted<double>>);
static_assert(parameter_container<Buffer<float>>);

static_assert(!parameter_container<xt::xarray<int>>);
static_assert(!parameter_container<xt::xarray<double, xt::layout_type::dynamic>>);
static_assert(
    !parameter_container<decltype(xt::adapt(std::declval<std::vector<double> const&>(), Shape()))>);
using XArray = xt::xarray<double>;
static_assert(!parameter_container<decltype(xt::view(std::declval<XArray&>(), 1))>);
static_assert(!parameter_container<decltype(xt::view(std::declval<XArray&>(), xt::all(), 1))>);
static_assert(!parameter_container<decltype(xt::strided_view(std::declval<XArray&>(), {1}))>);
static_assert(!parameter_container<decltype(xt::transpose(std::declval<XArray&>()))>);
static_assert(!parameter_container<decltype(std::declval<XArray&>() + 1.0)>);

TEST_CASE("xtensor's blocks have their shape", "[containers][xtensor]") {
    std::vector<double> memory(6);
    std::tuple<xt::xarray<double>, xt::xtensor<double, 1>, xt::xarray<double, columns>,
               xt::xtensor<double, 3>, Adapted<double>, xt::xarray<double>>
        nest{xt::zeros<double>({3, 4}),      xt::zeros<double>({5}),
             xt::zeros<double>({3, 2}),      xt::zeros<double>({2, 3, 5}),
             xt::adapt(memory, Shape{2, 3}), 7.0};
    CHECK(named_blocks(nest) == Named{{"0", 12, {3, 4, true}},
                                      {"1", 5, {5, 1, true}},
                                      {"2", 6, {3, 2, false}},
                                      {"3", 30, {2, 15, true}},
                                      {"4", 6, {2, 3, true}},
                                      {"5", 1, {1, 1, true}}});
}

TEST_CASE("a twin of an adaptor has its shape and memory of its own", "[containers][xtensor]") {
    std::vector<double> one(6, 1), two(6, 2);
    std::tuple<Adapted<double>, Buffer<double>> adaptors{
        xt::adapt(one, Shape{2, 3}), xt::adapt(two.data(), 6, xt::no_ownership(), Shape{3, 2})};
    Twin twin(adaptors);
    auto& [of_container, of_pointer] = twin.get();
    CHECK(of_container.shape() == Shape{2, 3});
    CHECK(of_pointer.shape() == Shape{3, 2});
    of_container = xt::ones<double>({2, 3}) * 3;
    of_pointer = xt::ones<double>({3, 2}) * 4;
    CHECK(test::flat(twin.get()) == std::vector<double>{3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4});
    CHECK(one == std::vector<double>(6, 1));
    CHECK(two == std::vector<double>(6, 2));
}

TEST_CASE("a gradient may be assigned an expression of xtensor", "[containers][xtensor]") {
    xt::xarray<double> x = xt::ones<double>({2, 3});
    SAM optimizer{SGD{.learning_rate = 0.5}, {.rho = 0}};
    optimizer.step(x, [](xt::xarray<double> const& at, xt::xarray<double>& gradient) {
        gradient = 2.0 * at;
        return xt::sum(at * at)();
    });
    CHECK(xt::allclose(x, xt::zeros<double>({2, 3})));
}

TEST_CASE("a gradient that was given another shape is refused", "[containers][xtensor]") {
    xt::xarray<double> x = xt::ones<double>({2, 3});
    SAM optimizer{SGD{}};
    CHECK_THROWS_WITH(optimizer.step(x,
                                     [](xt::xarray<double> const&, xt::xarray<double>& gradient) {
                                         gradient = xt::ones<double>({3, 3});
                                         return 1.0;
                                     }),
                      "polder: the gradient: block 0 has 9 coordinates, expected 6");
}

TEST_CASE("every method on xt::xarray", "[containers][xtensor]") {
    xt::xarray<double> x = xt::zeros<double>({3, 5});
    check_every_method(x);
}

TEST_CASE("every method on xt::xtensor", "[containers][xtensor]") {
    xt::xtensor<double, 3> x = xt::zeros<double>({3, 5, 2});
    check_every_method(x);
}

TEMPLATE_TEST_CASE("every method on a nest of xtensor's types", "[containers][xtensor]", float,
                   double) {
    using T = TestType;
    std::vector<T> one(6), two(8);
    std::tuple<xt::xarray<T, columns>, xt::xtensor_fixed<T, xt::xshape<2, 3>>, Adapted<T>,
               Buffer<T>>
        x{xt::zeros<T>({3, 4}), xt::xtensor_fixed<T, xt::xshape<2, 3>>(),
          xt::adapt(one, Shape{2, 3}), xt::adapt(two.data(), 8, xt::no_ownership(), Shape{4, 2})};
    check_every_method(x);
}
