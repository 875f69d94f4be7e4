// expect: NoSuchOption
// lines: 12
#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
polder::Plain optimizer{polder::Adam{}, {.rho = 0.1}};
#else
polder::Plain optimizer{polder::Adam{}};
#endif
