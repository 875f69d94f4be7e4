// A curved loss of any size whose batches differ, on any container.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <polder/polder.hpp>

namespace polder::test {

/// Coordinate i of the start, in [-1, 1], without a pattern that blocks or lanes could hide.
inline double start(std::size_t i) {
    return std::sin(1.0 + 0.7 * static_cast<double>(i) + 1e-3 * static_cast<double>(i * i % 1009));
}

/// The coordinates of a container, in order.
template <class C>
std::vector<scalar_t<C>> flat(C const& container) {
    std::vector<scalar_t<C>> values;
    for_each_block(const_cast<C&>(container), [&](auto const* data, std::size_t size) {
        values.insert(values.end(), data, data + size);
    });
    return values;
}

/// Writes start(i) to all coordinates.
template <class C>
void set_start(C& container) {
    std::size_t i = 0;
    for_each_block(container, [&](auto* data, std::size_t size) {
        for (std::size_t k = 0; k < size; ++k) {
            data[k] = static_cast<scalar_t<C>>(start(i++));
        }
    });
}

/// L(x) = mean over i of (1 - cos(a_i x_i - b)), with other a and b for each batch, and another b for each
/// single sample. Writes the gradient.
struct Valley {
    template <class C>
    double operator()(C const& x, C& gradient, Pass pass) const {
        using T = scalar_t<C>;
        const std::vector<T> at = flat(x);
        const bool second = pass.batch == Batch::second;
        auto const count = static_cast<T>(at.size());
        const double b = second ? 0.3 : -0.1 + 0.2 * (pass.sample + 1);
        double total = 0;
        std::size_t i = 0;
        for_each_block(gradient, [&](T* data, std::size_t size) {
            for (std::size_t k = 0; k < size; ++k, ++i) {
                const T a = static_cast<T>(second ? 1.5 : 1.0 + static_cast<double>(i % 7) / 7);
                const T angle = a * at[i] - static_cast<T>(b);
                total += 1 - std::cos(static_cast<double>(angle));
                data[k] = a * std::sin(angle) / count;
            }
        });
        return total / static_cast<double>(at.size());
    }
};

/// Takes what visit_state tells, as bytes, but for the array or counter that is named `except`.
struct StateBytes {
    std::string_view except;
    std::string bytes{};

    template <class T>
    void operator()(std::string_view name, std::span<T> values) {
        if (name == except) return;
        bytes += name;
        bytes.append(reinterpret_cast<char const*>(values.data()), values.size_bytes());
    }
    void operator()(std::string_view name, std::uint64_t& count) {
        (*this)(name, std::span(&count, 1));
    }
};

/// All state of an optimizer as bytes, counters included, but for the one that is named `except`.
template <class Optimizer>
std::string state_bytes(Optimizer& optimizer, std::string_view except = {}) {
    StateBytes state{except};
    optimizer.visit_state(state);
    return std::move(state.bytes);
}

/// Whether two lists are equal bit for bit.
template <class T>
bool same_bits(std::vector<T> const& a, std::vector<T> const& b) {
    return a.size() == b.size() &&
           (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

}  // namespace polder::test
