/// Lines and counts of a golden program, and its comparisons.
#pragma once

#include <algorithm>
#include <cmath>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "golden/problem.hpp"

namespace golden {

/// A method or base optimizer that polder does not have.
struct NotBuilt {
    std::string what;
};

/// Throws std::runtime_error unless |found - expected| <= bound.
inline void check_scalar(std::string const& what, double found, double expected, double bound) {
    if (!(std::abs(found - expected) <= bound)) {
        throw std::runtime_error(
            fmt::format("{} is {:.17g}, expected {:.17g}", what, found, expected));
    }
}

/// Throws unless each component is within tolerance times the largest one of `expected`.
inline void check_vector(std::string const& what, std::vector<double> const& found,
                         std::vector<double> const& expected, double tolerance) {
    if (found.size() != expected.size()) {
        throw SchemaError(
            fmt::format("{} has {} values, expected {}", what, expected.size(), found.size()));
    }
    double largest = 0;
    for (double b : expected) largest = std::max(largest, std::abs(b));
    for (std::size_t i = 0; i < found.size(); ++i) {
        check_scalar(fmt::format("{}[{}]", what, i), found[i], expected[i], tolerance * largest);
    }
}

class Tally {
public:
    /// Runs one case and prints its line.
    void run(std::string const& name, std::function<void()> const& check) {
        try {
            check();
            ++passed_;
            fmt::print("ok    {}\n", name);
        } catch (NotBuilt const& missing) {
            ++skipped_;
            fmt::print("skip  {}: {} is not built yet\n", name, missing.what);
        } catch (std::exception const& error) {
            ++failed_;
            fmt::print("FAIL  {}: {}\n", name, error.what());
        }
    }

    /// Prints the counts; 0 when nothing failed, 1 otherwise.
    int finish() const {
        fmt::print("{} skipped\n{} passed, {} failed\n", skipped_, passed_, failed_);
        return failed_ == 0 ? 0 : 1;
    }

private:
    int passed_ = 0;
    int failed_ = 0;
    int skipped_ = 0;
};

}  // namespace golden
