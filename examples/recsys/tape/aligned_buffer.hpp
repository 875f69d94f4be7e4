/// Memory for matrices whose rows fill whole cache lines.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace polder::recsys {

/// Uninitialised memory for numbers, at the start of a cache line, that only grows.
template <class T>
class AlignedBuffer {
public:
    /// Room for `size` numbers. The content is lost where the buffer grows.
    T* reserve(std::size_t size) {
        if (size > capacity_) {
            memory_.reset();
            capacity_ = 0;
            memory_.reset(static_cast<T*>(::operator new(size * sizeof(T), line)));
            capacity_ = size;
        }
        return memory_.get();
    }

    T* data() const { return memory_.get(); }

private:
    static constexpr std::align_val_t line{64};

    struct Free {
        void operator()(T* memory) const { ::operator delete(memory, line); }
    };

    std::unique_ptr<T, Free> memory_;
    std::size_t capacity_ = 0;
};

}  // namespace polder::recsys
