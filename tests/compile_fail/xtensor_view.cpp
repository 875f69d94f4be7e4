// needs: xtensor
// expect: polder: not a parameter container; pass contiguous float or double
#if __has_include(<xtensor/containers/xarray.hpp>)
#include <xtensor/containers/xarray.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xarray.hpp>
#include <xtensor/xview.hpp>
#endif

#include <polder/polder.hpp>

int main() {
    xt::xarray<double> matrix = xt::zeros<double>({3, 4});
#ifdef POLDER_MISTAKE
    auto x = xt::view(matrix, xt::all(), 1);
#else
    xt::xarray<double> x = xt::view(matrix, xt::all(), 1);
#endif
    polder::SAM optimizer{polder::SGD{}};
    optimizer.step(x, [](auto const&, auto&) { return 0.0; });
}
