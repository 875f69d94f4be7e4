#include "support/count_allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> count{0}, in_use{0}, left_to_failure{0};

void* allocate(std::size_t size, std::size_t alignment) {
    ++count;
    // Only the call that takes the last one fails; without a failure to come it stays at 0.
    std::size_t left = left_to_failure;
    while (left != 0 && !left_to_failure.compare_exchange_weak(left, left - 1)) {
    }
    if (left == 1) throw std::bad_alloc();
    // aligned_alloc wants a multiple of the alignment.
    const std::size_t padded = (size + alignment - 1) / alignment * alignment;
    if (void* memory = std::aligned_alloc(alignment, padded != 0 ? padded : alignment)) {
        ++in_use;
        return memory;
    }
    throw std::bad_alloc();
}

void give_back(void* memory) noexcept {
    if (memory != nullptr) --in_use;
    std::free(memory);
}

}  // namespace

std::size_t allocations() { return count; }
std::size_t allocations_in_use() { return in_use; }
void fail_allocation(std::size_t n) { left_to_failure = n; }

void* operator new(std::size_t size) { return allocate(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, std::nothrow_t const&) noexcept {
    try {
        return operator new(size);
    } catch (...) {
        return nullptr;
    }
}
void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::nothrow_t const&) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { give_back(memory); }
