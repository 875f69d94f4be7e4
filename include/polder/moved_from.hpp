/// Notices that an object has been moved from.
#pragma once

#include <utility>

namespace polder::detail {

// A member of a type whose objects are of no use after they have been moved from.
class MovedFrom {
public:
    MovedFrom() = default;
    MovedFrom(MovedFrom const&) = default;
    MovedFrom& operator=(MovedFrom const&) = default;
    MovedFrom(MovedFrom&& other) noexcept : is_(std::exchange(other.is_, true)) {}
    MovedFrom& operator=(MovedFrom&& other) noexcept {
        is_ = std::exchange(other.is_, true);
        return *this;
    }
    ~MovedFrom() = default;

    bool is() const noexcept { return is_; }

private:
    bool is_ = false;
};

}  // namespace polder::detail
