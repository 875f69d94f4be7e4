/// Where the time of a training step goes, for benchmarks.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <utility>

namespace polder::recsys {

/// What the operations of a tape spend their time on; what is in none of them is the rest.
enum class Part {
    products,     ///< of dense matrices
    propagation,  ///< products with sparse matrices, weights on edges
    gather,       ///< rows of a batch, and their gradients put back
    loss,         ///< ranking and contrastive losses, the inner products of rows among them
};
inline constexpr std::size_t n_parts = 4;

/// Seconds in each part, measured while `active` points here: of the thread that has set it.
struct Profile {
    std::array<double, n_parts> seconds{};

    static inline thread_local Profile* active = nullptr;
};

/// Adds the time from here to the end of the scope to a part. Parts inside parts count as the outer one.
/// While no profile is active, it costs a test of a pointer.
class TimedPart {
public:
    explicit TimedPart(Part part) : profile_(std::exchange(Profile::active, nullptr)), part_(part) {
        if (profile_ != nullptr) start_ = Clock::now();
    }
    TimedPart(TimedPart const&) = delete;
    TimedPart& operator=(TimedPart const&) = delete;
    ~TimedPart() {
        if (profile_ == nullptr) return;
        profile_->seconds[static_cast<std::size_t>(part_)] +=
            std::chrono::duration<double>(Clock::now() - start_).count();
        Profile::active = profile_;
    }

private:
    using Clock = std::chrono::steady_clock;

    Profile* profile_;
    Part part_;
    Clock::time_point start_;
};

}  // namespace polder::recsys
