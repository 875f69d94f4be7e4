/// Progress of a command whose work is a known number of steps, on standard error.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>

#include <fmt/format.h>

#include <unistd.h>

#include "recsys/app/progress.hpp"

namespace polder::recsys::app {

/// A line that is rewritten on a terminal; elsewhere a new one every 30 seconds. Time left is what is left of all steps
/// at the pace so far.
class Steps {
public:
    Steps(std::size_t total, bool is_quiet)
        : total_(total), is_quiet_(is_quiet),
          is_terminal_(!is_quiet && isatty(fileno(stderr)) != 0) {}

    /// Steps that need not be done: their results are there.
    void skip(std::size_t n) { total_ -= n; }

    /// One more is done, of `what`.
    void done(std::string const& what) {
        ++done_;
        auto const now = Clock::now();
        if (is_quiet_ || (now - last_ < interval() && done_ < total_)) return;
        last_ = now;
        double const seconds = std::chrono::duration<double>(now - start_).count();
        double const left =
            seconds / static_cast<double>(done_) * static_cast<double>(total_ - done_);
        auto const text = fmt::format("{}/{}  {}  {} left", done_, total_, what, duration(left));
        if (is_terminal_)
            fmt::print(stderr, "\r{}\033[K", text);
        else
            fmt::print(stderr, "{}\n", text);
        std::fflush(stderr);
    }

    /// Removes the line that is rewritten, so that others can be printed.
    void clear() const {
        if (is_terminal_) fmt::print(stderr, "\r\033[K");
    }

private:
    using Clock = std::chrono::steady_clock;

    Clock::duration interval() const {
        if (is_terminal_) return std::chrono::milliseconds(100);
        return std::chrono::seconds(30);
    }

    std::size_t total_, done_ = 0;
    bool is_quiet_, is_terminal_;
    Clock::time_point start_ = Clock::now(), last_ = start_;
};

}  // namespace polder::recsys::app
