// expect: polder: a pointer does not say how many values there are; pass std::span{p, n}
#include <span>
#include <vector>

#include <polder/polder.hpp>

int main() {
    std::vector<float> values(3);
    float* p = values.data();
#ifdef POLDER_MISTAKE
    auto x = p;
#else
    std::span x{p, 3};
#endif
    polder::SAM optimizer{polder::SGD{}};
    optimizer.step(x, [](auto const&, auto&) { return 1.0; });
}
