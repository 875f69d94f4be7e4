// expect: polder: the closure of step_in_place is called as scalar() or scalar(polder::Pass)
#include <vector>

#include <polder/polder.hpp>

int main() {
    std::vector<double> x(3), gradient(3);
    polder::SAM optimizer{polder::SGD{}};
#ifdef POLDER_MISTAKE
    optimizer.step_in_place(x, gradient,
                            [](std::vector<double> const&, std::vector<double>&) { return 0.0; });
#else
    optimizer.step_in_place(x, gradient, [] { return 0.0; });
#endif
}
