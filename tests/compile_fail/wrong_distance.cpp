// expect: polder: Distance is NoDistance or DistanceTo<Reference, Measure>
#include <polder/polder.hpp>

int main() {
#ifdef POLDER_MISTAKE
    const polder::Manhattan distance{};
#else
    const polder::NoDistance distance{};
#endif
    polder::Sharpness optimizer{polder::EuclideanBall{}, distance, polder::NoMix{}, polder::SGD{}};
}
