/// Random numbers that depend on what they are for, not on who draws them or when.
#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>
#include <string_view>
#include <utility>

namespace polder::recsys {

/// Counter-based generator: draw k is splitmix64 at position k of the stream named by `key`
/// (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
///
/// The key is mixed from a seed and any number of integers and names, so that every random object
/// of a run has its own stream and nothing needs to be drawn in order:
///
///     Random random(seed, "negatives", epoch, batch);
///
/// The whole state is {key, counter}. Models `std::uniform_random_bit_generator`.
class Random {
public:
    using result_type = std::uint64_t;

    /// Everything needed to continue a stream.
    struct State {
        std::uint64_t key = 0;
        std::uint64_t counter = 0;
        friend bool operator==(State const&, State const&) = default;
    };

    /// The stream of `seed` and `parts`, each an integer or a name.
    template <class... Parts>
    explicit Random(std::uint64_t seed, Parts const&... parts) : state_{mix(seed + increment), 0} {
        ((state_.key = mix(state_.key ^ mix(number(parts) + increment))), ...);
    }

    /// Continues a stream where `state` left it.
    constexpr explicit Random(State state) : state_(state) {}

    /// The stream of one more part: Random(seed, a, b) is Random(seed, a).with(b).
    constexpr Random with(std::integral auto part) const {
        return Random(State{mix(state_.key ^ mix(number(part) + increment)), 0});
    }

    constexpr State state() const { return state_; }

    /// 64 random bits.
    constexpr std::uint64_t next() { return mix(state_.key + increment * ++state_.counter); }
    std::uint64_t operator()() { return next(); }
    static constexpr std::uint64_t min() { return 0; }
    static constexpr std::uint64_t max() { return std::numeric_limits<std::uint64_t>::max(); }

    /// Uniform in [0, 1), with 53 random bits.
    constexpr double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

    /// Uniform in [low, high).
    double uniform(double low, double high) { return low + (high - low) * uniform(); }

    /// Uniform in {0, ..., n - 1}, without bias; n > 0.
    /// Lemire: Fast Random Integer Generation in an Interval, 2019.
    std::uint64_t uniform_index(std::uint64_t n) {
        auto product = static_cast<Wide>(next()) * n;
        if (static_cast<std::uint64_t>(product) < n) {
            std::uint64_t const rejected = (0 - n) % n;
            while (static_cast<std::uint64_t>(product) < rejected)
                product = static_cast<Wide>(next()) * n;
        }
        return static_cast<std::uint64_t>(product >> 64);
    }

    /// Standard normal, by Box and Muller. Two draws each and no spare kept: the state stays a
    /// counter.
    double normal() {
        double const radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
        return radius * std::cos(2.0 * std::numbers::pi * uniform());
    }

    /// Standard normal without its tails: drawn again until it is within [-2, 2].
    double truncated_normal() {
        double value = normal();
        while (std::abs(value) > 2) value = normal();
        return value;
    }

    /// A uniform random permutation of `values`, in place (Fisher and Yates).
    template <class T>
    void shuffle(std::span<T> values) {
        for (std::size_t n = values.size(); n > 1; --n)
            std::swap(values[n - 1], values[static_cast<std::size_t>(uniform_index(n))]);
    }

private:
    __extension__ typedef unsigned __int128 Wide;
    static constexpr std::uint64_t increment = 0x9e3779b97f4a7c15;

    static constexpr std::uint64_t mix(std::uint64_t z) {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }

    static constexpr std::uint64_t number(std::integral auto value) {
        return static_cast<std::uint64_t>(value);
    }

    static constexpr std::uint64_t number(std::string_view name) {  // FNV-1a
        std::uint64_t hash = 0xcbf29ce484222325;
        for (char const c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
        return hash;
    }

    State state_;
};

}  // namespace polder::recsys
