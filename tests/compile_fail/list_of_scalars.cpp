// expect: polder: the values of the parameters are not contiguous; use std::vector
#include <list>
#include <vector>

#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
using Parameters = std::list<double>;
#else
using Parameters = std::list<std::vector<double>>;
#endif

int main() {
    Parameters x;
    polder::SAM optimizer{polder::SGD{}};
    optimizer.step(x, [](Parameters const&, Parameters&) { return 0.0; });
}
