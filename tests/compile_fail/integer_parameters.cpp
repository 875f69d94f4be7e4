// expect: polder: the scalars of the parameters are neither float nor double; use one of them
#include <vector>

#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
using Parameters = std::vector<int>;
#else
using Parameters = std::vector<float>;
#endif

int main() {
    Parameters x(3);
    polder::BSAM optimizer{polder::Adam{}};
    optimizer.step(x, [](Parameters const&, Parameters&) { return 0.0; });
}
