// expect: polder: the parameters are a temporary; pass a variable, or a view of one
#include <span>
#include <vector>

#include <polder/polder.hpp>

int main() {
    std::vector<double> x(3);
    polder::SAM optimizer{polder::SGD{}};
    auto const closure = [](auto const&, auto&) { return 0.0; };
#ifdef POLDER_MISTAKE
    optimizer.step(std::vector<double>(x), closure);
#else
    optimizer.step(std::span<double>(x), closure);
#endif
}
