// Compiled with -fno-exceptions -fno-rtti: a step is taken, and an error goes to the handler that the program has set.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <polder/any_optimizer.hpp>
#include <polder/polder.hpp>

int main() {
    using Vector = std::vector<double>;
    Vector x{1, -2};
    auto const closure = [](Vector const& at, Vector& gradient) {
        gradient = at;
        return 0.5 * (at[0] * at[0] + at[1] * at[1]);
    };
    polder::BSAM optimizer{polder::Adam{.learning_rate = 0.1}, {.rho = 0.1}};
    double const first = optimizer.step(x, closure).loss;
    if (std::abs(first - 2.5) > 1e-15 || !(optimizer.step(x, closure).loss < first)) return 1;

    polder::error_handler() = [](char const* message) {
        bool const expected = std::strstr(message, "rho = -1 is out of range") != nullptr;
        std::printf("%s\n", message);
        std::exit(expected ? 0 : 2);
    };
    optimizer.policy().perturb.rho = -1;
    optimizer.step(x, closure);
    return 3;
}
