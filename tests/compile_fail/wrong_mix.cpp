// expect: polder: Mix needs validate() and blend(run, s), or blend(run, s, g) and reads_clean
#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
struct Mean {
    void validate() const {}
};
#else
using Mean = polder::NoMix;
#endif

int main() {
    polder::Sharpness optimizer{polder::EuclideanBall{}, polder::NoDistance{}, Mean{},
                                polder::SGD{}};
}
