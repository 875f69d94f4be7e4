// flags: -std=c++17
// expect: polder: C++20 is needed; compile with -std=c++20
#include <polder/polder.hpp>
