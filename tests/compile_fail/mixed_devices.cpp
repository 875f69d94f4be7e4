// expect: polder: the blocks of the parameters lie on different devices; keep all of them on one
#include <tuple>
#include <vector>

#include <polder/polder.hpp>

struct DeviceVector : std::vector<float> {
    using std::vector<float>::vector;
#ifdef POLDER_MISTAKE
    using memory_space = polder::DeviceMemory;
#endif
};

int main() {
    std::tuple<std::vector<float>, DeviceVector> x;
    polder::SAM optimizer{polder::SGD{}};
    optimizer.step(x, [](auto const&, auto&) { return 0.0; });
}
