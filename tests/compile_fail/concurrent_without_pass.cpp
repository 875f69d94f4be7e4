// expect: polder: concurrent() and micro_batches() take a closure with a polder::Pass
#include <vector>

#include <polder/polder.hpp>

int main() {
    std::vector<double> x{1, 2};
    polder::SAMPlus optimizer{polder::SGD{}};
#ifdef POLDER_MISTAKE
    auto const closure =
        polder::concurrent([](std::vector<double> const& at, std::vector<double>& gradient) {
            gradient = at;
            return 0.5 * (at[0] * at[0] + at[1] * at[1]);
        });
#else
    auto const closure = polder::concurrent(
        [](std::vector<double> const& at, std::vector<double>& gradient, polder::Pass) {
            gradient = at;
            return 0.5 * (at[0] * at[0] + at[1] * at[1]);
        });
#endif
    optimizer.step(x, closure);
}
