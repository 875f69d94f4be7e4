// Random numbers that are the same everywhere and can be drawn again.
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>

namespace polder::test {

/// POLDER_TEST_SEED, or 1. Throws std::invalid_argument where that is no whole number.
inline std::uint64_t random_seed() {
    char const* text = std::getenv("POLDER_TEST_SEED");
    if (text == nullptr) return 1;
    const std::string value = text;
    std::uint64_t seed = 0;
    auto const [end, error] = std::from_chars(value.data(), value.data() + value.size(), seed);
    if (value.empty() || error != std::errc() || end != value.data() + value.size()) {
        throw std::invalid_argument("POLDER_TEST_SEED is '" + value + "', expected a whole number");
    }
    return seed;
}

/// The stream of a seed and of a case. (The distributions of the standard library differ between libraries;
/// its generators do not.)
class Random {
public:
    Random(std::uint64_t seed, std::uint64_t draw) {
        std::seed_seq words{seed, seed >> 32, draw};
        bits_.seed(words);
    }

    /// In [low, high).
    double uniform(double low, double high) {
        return low + (high - low) * (static_cast<double>(bits_() >> 11) * 0x1p-53);
    }
    /// In [low, high), low > 0, the logarithm being uniform.
    double log_uniform(double low, double high) {
        return std::exp(uniform(std::log(low), std::log(high)));
    }
    /// low, low + 1, ... or high.
    std::size_t integer(std::size_t low, std::size_t high) {
        return low + static_cast<std::size_t>(bits_() % (high - low + 1));
    }
    bool coin() { return bits_() % 2 == 0; }

private:
    std::mt19937_64 bits_;
};

}  // namespace polder::test
