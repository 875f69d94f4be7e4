// expect: polder: BaseOpt needs validate(), state_names and rule<T>(k), or a step of its own
#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
struct Descent {};
#else
using Descent = polder::SGD;
#endif

int main() {
    std::vector<double> x(3);
    polder::SAM optimizer{Descent{}};
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>& gradient) {
        gradient.assign(3, 1);
        return 1.0;
    });
}
