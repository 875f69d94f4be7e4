// needs: Eigen3
// expect: polder: this Eigen type is not contiguous; pass a matrix, a vector or a Map without strides
#include <Eigen/Core>

#include <polder/polder.hpp>

int main() {
    Eigen::MatrixXd matrix(4, 4);
#ifdef POLDER_MISTAKE
    auto x = matrix.topRows(2);
#else
    Eigen::MatrixXd x = matrix.topRows(2);
#endif
    polder::SAM optimizer{polder::SGD{}};
    optimizer.step(x, [](auto const&, auto&) { return 0.0; });
}
