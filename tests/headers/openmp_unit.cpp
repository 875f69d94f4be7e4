// One of two units of one program: POLDER_UNIT is the name of its function. One is compiled with OpenMP, the other without.
#include <vector>

#include <polder/polder.hpp>

// How many threads an optimizer takes by default, plus 100 for a step that is right.
int POLDER_UNIT();
int POLDER_UNIT() {
    std::vector<double> x{4};
    polder::SAM optimizer{polder::SGD{.learning_rate = 0.5}, {.rho = 0}};
    auto const loss = [](std::vector<double> const& at, std::vector<double>& gradient) {
        gradient = at;
        return 0.5 * at[0] * at[0];
    };
    optimizer.step(x, loss);
    return optimizer.threads() + (x[0] == 2 ? 100 : 0);
}
