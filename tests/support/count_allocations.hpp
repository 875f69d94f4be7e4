// How often this program has asked for memory, and what happens where there is none.
#pragma once

#include <cstddef>

/// Calls of operator new, in any thread, since the program began.
std::size_t allocations();

/// Of what they returned, how many pieces of memory have not been given back.
std::size_t allocations_in_use();

/// The n-th call of operator new from now on throws std::bad_alloc, in any thread, and no other does; 0: none.
void fail_allocation(std::size_t n);
