// expect: polder: a mix takes one second batch, and not two
#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
using Mix = polder::Plus<polder::Plus<polder::NoMix>>;
#else
using Mix = polder::Plus<polder::NoMix>;
#endif

polder::Sharpness optimizer{polder::EuclideanBall{}, polder::NoDistance{}, Mix{}, polder::SGD{}};

int main() {}
