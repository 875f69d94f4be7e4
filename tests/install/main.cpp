// What a user's first program does: one step that must go downhill.
#include <cstdio>
#include <vector>

#include <polder/polder.hpp>

int main() {
    std::vector<double> x{1, -2};
    auto const loss = [](std::vector<double> const& at, std::vector<double>& gradient) {
        gradient = at;
        return 0.5 * (at[0] * at[0] + at[1] * at[1]);
    };

    polder::BSAM optimizer{polder::SGD{.learning_rate = 0.1}, {.rho = 0.1, .lambda = 0.6}};
    const double before = optimizer.step(x, loss).loss;
    const double after = optimizer.step(x, loss).loss;

    std::printf("polder %d.%d.%d: loss %g, then %g\n", POLDER_VERSION_MAJOR, POLDER_VERSION_MINOR,
                POLDER_VERSION_PATCH, before, after);
    return after < before ? 0 : 1;
}
