// A step that must go downhill.
#include <cstdio>
#include <vector>

#include <polder/polder.hpp>

int main() {
    std::vector<double> x{1, -2};
    auto const loss = [](std::vector<double> const& at, std::vector<double>& gradient) {
        gradient = at;
        return 0.5 * (at[0] * at[0] + at[1] * at[1]);
    };
    polder::SAM optimizer{polder::SGD{.learning_rate = 0.1}, {.rho = 0.1}};
    const double before = optimizer.step(x, loss).loss, after = optimizer.step(x, loss).loss;
    std::printf("loss %g, then %g\n", before, after);
    return after < before ? 0 : 1;
}
