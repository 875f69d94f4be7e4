// expect: NoSuchOption
// lines: 12
#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
polder::SAM optimizer{polder::Adam{}, {.lambda = 0.6}};
#else
polder::BSAM optimizer{polder::Adam{}, {.lambda = 0.6}};
#endif

int main() {}
