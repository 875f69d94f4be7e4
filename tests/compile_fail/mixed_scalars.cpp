// expect: polder: the blocks of the parameters mix float and double; use one of them
#include <tuple>
#include <vector>

#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
using Parameters = std::tuple<std::vector<float>, std::vector<double>>;
#else
using Parameters = std::tuple<std::vector<double>, std::vector<double>>;
#endif

int main() {
    Parameters x;
    polder::SAM optimizer{polder::SGD{}};
    optimizer.step(x, [](Parameters const&, Parameters&) { return 0.0; });
}
