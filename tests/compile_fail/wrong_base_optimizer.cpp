// expect: polder: BaseOpt needs validate(), state_names and rule<T>(k), or a step of its own
#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
struct Descent {
    double learning_rate = 0.1;
};
#else
using Descent = polder::SGD;
#endif

int main() {
    polder::Sharpness optimizer{polder::EuclideanBall{}, polder::NoDistance{}, polder::NoMix{},
                                Descent{}};
}
