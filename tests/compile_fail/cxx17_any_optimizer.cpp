// flags: -std=c++17
// expect: polder: C++20 is needed; compile with -std=c++20
// lines: 6
#include <polder/any_optimizer.hpp>
