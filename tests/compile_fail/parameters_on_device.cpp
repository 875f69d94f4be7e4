// expect: polder: the parameters lie on a device; include polder/cuda.hpp (or
#include <cstddef>
#include <vector>

#include <polder/polder.hpp>

// As thrust::device_vector does it.
struct DevicePointer {
    float* get() const { return nullptr; }
};
struct DeviceVector {
    std::size_t size() const { return 0; }
    DevicePointer data() { return {}; }
};

#ifdef POLDER_MISTAKE
using Parameters = DeviceVector;
#else
using Parameters = std::vector<float>;
#endif

int main() {
    Parameters x;
    polder::SAM optimizer{polder::SGD{}};
    optimizer.step(x, [](Parameters const&, Parameters&) { return 0.0; });
}
