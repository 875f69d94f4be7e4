// flags: -ffast-math
// expect: polder: -ffast-math and -ffinite-math-only leave out all checks for values that are not finite
#include <polder/polder.hpp>
