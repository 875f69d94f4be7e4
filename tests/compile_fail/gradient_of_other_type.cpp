// expect: polder: the closure is called as scalar(parameters const&, gradient&)
// expect: the gradient being of the type of the parameters
#include <vector>

#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
using Gradient = std::vector<float>;
#else
using Gradient = std::vector<double>;
#endif

int main() {
    std::vector<double> x(3);
    polder::SAM optimizer{polder::SGD{}};
    optimizer.step(x, [](std::vector<double> const&, Gradient&) { return 0.0; });
}
