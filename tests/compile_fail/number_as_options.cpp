// expect: polder: options are named and stand in braces: SAM{base, {.rho = 0.05}}
#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
polder::SAM optimizer{polder::Adam{}, 0.05};
#else
polder::SAM optimizer{polder::Adam{}, {.rho = 0.05}};
#endif

int main() {}
