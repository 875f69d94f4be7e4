// How often this program has asked for memory.
#pragma once

#include <cstddef>

/// Calls of operator new, in any thread, since the program began.
std::size_t allocations();
