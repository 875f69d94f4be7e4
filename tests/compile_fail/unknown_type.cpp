// expect: or specialise polder::Members
#include <tuple>
#include <vector>

#include <polder/polder.hpp>

struct Net {
    std::vector<double> weight, bias;
};

#ifndef POLDER_MISTAKE
template <>
struct polder::Members<Net> {
    static auto of(Net& net) { return std::tie(net.weight, net.bias); }
};
#endif

int main() {
    Net x;
    polder::SAM optimizer{polder::SGD{}};
    optimizer.step(x, [](Net const&, Net&) { return 0.0; });
}
