// expect: polder: step(x, first, second) calls each closure as scalar(at, gradient)
#include <vector>

#include <polder/polder.hpp>

int main() {
    std::vector<double> x(3);
    using Vector = std::vector<double>;
    auto const closure = [](Vector const&, Vector&, polder::Pass) { return 0.0; };
    polder::BSAMPlus optimizer{polder::Adam{}};
#ifdef POLDER_MISTAKE
    optimizer.step(x, closure, closure);
#else
    optimizer.step(x, polder::concurrent(closure, closure));
#endif
}
