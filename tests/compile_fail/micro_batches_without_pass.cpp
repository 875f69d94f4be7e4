// expect: polder: the closure of micro_batches is called as scalar(parameters const&, gradient&, polder::Pass)
#include <vector>

#include <polder/polder.hpp>

int main() {
    std::vector<double> x(3);
    polder::SAM optimizer{polder::SGD{}};
#ifdef POLDER_MISTAKE
    auto closure = polder::micro_batches(2, [](std::vector<double> const&, std::vector<double>& g) {
#else
    auto closure = polder::micro_batches(
        2, [](std::vector<double> const&, std::vector<double>& g, polder::Pass) {
#endif
        g.assign(3, 1);
        return 1.0;
    });
    optimizer.step(x, closure);
}
