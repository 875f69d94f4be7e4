// expect: polder: the scalars of this Eigen type are neither float nor double; use one of them
// needs: Eigen3
#include <Eigen/Core>

#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
using Scalar = Eigen::bfloat16;
#else
using Scalar = float;
#endif
using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;

int main() {
    Vector x(3);
    polder::SAM optimizer{polder::Adam{}};
    optimizer.step(x, [](Vector const& at, Vector& gradient) {
        gradient = at;
        return 1.0;
    });
}
