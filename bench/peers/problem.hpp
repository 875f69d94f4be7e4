/// The problem that all peers step through, and how a program reports its times to compare.py.
///
/// x starts at 1; the gradient of coordinate i is (i mod 1009) / 1009 - 1/2 at every x, so that a step costs
/// nothing but the optimizer. Coordinates are counted through all blocks.
#pragma once

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace peers {

#if defined(__clang__)
inline constexpr char compiler[] = __VERSION__;
#else
inline constexpr char compiler[] = "g++ " __VERSION__;
#endif

inline float gradient(std::size_t i) { return static_cast<float>(i % 1009) / 1009.0f - 0.5f; }

/// The command line: METHOD FLOATS BLOCKS THREADS STEPS.
struct Task {
    std::string method;
    std::size_t floats, blocks;
    int threads, steps;

    /// Ends the program with status 2 where the line is not of this form.
    static Task read(int argc, char** argv) {
        if (argc != 6) {
            std::fprintf(stderr, "%s: expected METHOD FLOATS BLOCKS THREADS STEPS, see README.md\n",
                         argv[0]);
            std::exit(2);
        }
        auto const number = [&](int k) { return std::strtoull(argv[k], nullptr, 10); };
        return {argv[1], number(2), number(3), static_cast<int>(number(4)),
                static_cast<int>(number(5))};
    }

    [[noreturn]] void refuse(char const* known) const {
        std::fprintf(stderr, "unknown method '%s', known: %s\n", method.c_str(), known);
        std::exit(2);
    }
};

/// The seconds of each call of step().
template <class Step>
std::vector<double> time_steps(int steps, Step const& step) {
    std::vector<double> seconds;
    for (int k = 0; k < steps; ++k) {
        auto const start = std::chrono::steady_clock::now();
        step();
        seconds.push_back(
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return seconds;
}

/// How far a coordinate has gone, for the sum that compare.py compares.
inline double way(float x) { return std::abs(static_cast<double>(x) - 1); }

/// Prints {"version": ..., "moved": mean of |x - 1|, "seconds": [of each step]}.
inline void report(std::string const& version, double moved, std::vector<double> const& seconds) {
    std::printf("{\"version\": \"%s, %s\", \"moved\": %.17g, \"seconds\": [", version.c_str(),
                compiler, moved);
    char const* separator = "";
    for (double s : seconds) {
        std::printf("%s%.9g", separator, s);
        separator = ", ";
    }
    std::printf("]}\n");
}

}  // namespace peers
