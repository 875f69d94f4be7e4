// needs: Eigen3
// expect: polder: this Eigen type is not contiguous; pass a matrix, a vector or a Map without strides
#include <vector>

#include <Eigen/Core>

#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
using Parameters = Eigen::Map<Eigen::VectorXd, 0, Eigen::InnerStride<2>>;
#else
using Parameters = Eigen::Map<Eigen::VectorXd>;
#endif

int main() {
    std::vector<double> memory(8);
    Parameters x(memory.data(), 4);
    polder::SAM optimizer{polder::SGD{}};
    optimizer.step(x, [](Parameters const&, Parameters&) { return 0.0; });
}
