/// The random objects of training, by name.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <polder/blocks/arena.hpp>
#include <polder/blocks/memory_space.hpp>
#include <polder/config.hpp>

#include "recsys/random.hpp"

namespace polder::recsys {

namespace detail {

// Entry k of a matrix of random numbers, which depends on nothing but k and the stream: it is the same on
// every device and whoever draws it.

inline constexpr double tiny = std::numeric_limits<double>::min();  // u = 0 has no logarithm

POLDER_HOST_DEVICE inline double uniform_at(Random::State stream, std::size_t k) {
    return Random(Random::State{stream.key, stream.counter + k}).uniform();
}

template <class T>
struct DropoutMask {
    Random::State stream;
    double rate;
    T kept;

    POLDER_HOST_DEVICE T operator()(std::size_t k) const {
        return uniform_at(stream, k) < rate ? T(0) : kept;
    }
    /// The mask of a row that has a stream of its own.
    POLDER_HOST_DEVICE DropoutMask of_row(std::int32_t row) const {
        return {Random(stream).with(row).state(), rate, kept};
    }
};

template <class T>
struct UniformNoise {
    Random::State stream;
    POLDER_HOST_DEVICE T operator()(std::size_t k) const {
        return static_cast<T>(uniform_at(stream, k));
    }
};

template <class T>
struct GumbelNoise {
    Random::State stream;
    POLDER_HOST_DEVICE T operator()(std::size_t k) const {
        return static_cast<T>(-std::log(-std::log1p(-uniform_at(stream, k)) + tiny));
    }
};

// Random numbers in the memory of a System; that of devices: models/device_noise.hpp.
template <class T, class System>
class Drawn;

template <class T>
class Drawn<T, HostMemory> {
public:
    std::size_t size() const { return values_.size(); }
    T const* data() const { return values_.data(); }

    void assign(std::vector<T> values) { values_ = std::move(values); }

    /// Entry k becomes f(k), k < n.
    template <class F>
    void draw(std::size_t n, F f) {
        values_.resize(n);
        for (std::size_t k = 0; k < n; ++k) values_[k] = f(k);
    }
    /// Entry j of row b becomes f.of_row(index[b])(j).
    template <class F>
    void draw_rows(std::span<std::int32_t const> index, std::size_t cols, F f) {
        values_.resize(index.size() * cols);
        auto to = values_.begin();
        for (const std::int32_t row : index) {
            auto const of_row = f.of_row(row);
            for (std::size_t j = 0; j < cols; ++j) *to++ = of_row(j);
        }
    }

private:
    std::vector<T> values_;
};

}  // namespace detail

/// Matrices of random numbers that depend on seed, epoch, batch and their name alone.
///
/// A matrix is drawn when it is first asked for in a batch; asked for again in the same batch (the
/// second pass of a sharpness-aware step), it is still the same, unless that pass redraws. Views stay
/// valid until the next batch, and are of the memory of System.
template <class T, class System = HostMemory>
class Noise {
public:
    /// From now on the object `name` has these values and is not drawn.
    void fix(std::string name, std::vector<double> values) {
        fixed_.insert_or_assign(std::move(name), std::move(values));
    }

    /// The same for all that `other` has fixed.
    template <class OtherSystem>
    void fix_as(Noise<T, OtherSystem> const& other) {
        for (auto const& [name, values] : other.fixed()) fix(name, values);
    }
    using Fixed = std::map<std::string, std::vector<double>, std::less<>>;
    Fixed const& fixed() const { return fixed_; }

    /// The fixed values of `name`, or null.
    std::vector<double> const* fixed(std::string_view name) const {
        auto const at = fixed_.find(name);
        return at == fixed_.end() ? nullptr : &at->second;
    }

    void begin_epoch(std::uint64_t seed, int epoch) {
        seed_ = seed;
        epoch_ = epoch;
        begin_batch(none);
    }
    std::uint64_t seed() const { return seed_; }
    /// `redraws`: what is drawn is other than in a pass over the same batch that does not.
    void begin_batch(std::uint64_t number, bool redraws = false) {
        batch_ = number;
        redraws_ = redraws;
    }
    /// For models whose scores are random: what is drawn then is the same in the whole epoch.
    void begin_inference() { begin_batch(none); }

    /// The stream of random numbers of `name` in this epoch, whatever the batch.
    Random of_epoch(std::string_view name) const { return Random(seed_, "epoch", name, epoch_); }
    /// The same for this batch.
    Random of_batch(std::string_view name) const {
        return Random(seed_, redraws_ ? "batch again" : "batch", name, epoch_, batch_);
    }

    /// Inverted dropout: every entry is 0 with probability `rate`, else 1 / (1 - rate). A fixed mask
    /// says 1 for "kept" and 0 for "dropped".
    MatrixView<T const> dropout(std::string_view name, std::size_t rows, std::size_t cols,
                                double rate) {
        const T kept = static_cast<T>(1 / (1 - rate));
        return matrix(name, rows, cols, detail::DropoutMask<T>{{}, rate, kept},
                      [&](double keep) { return keep != 0 ? kept : T(0); });
    }

    /// The rows `index` of such a matrix with `rows` rows, (index.size() x cols): a row that occurs twice has
    /// one mask. Valid until the next call for that name.
    MatrixView<T const> dropout_rows(std::string_view name, std::span<std::int32_t const> index,
                                     std::size_t rows, std::size_t cols, double rate) {
        const T kept = static_cast<T>(1 / (1 - rate));
        auto& values = object(name).values;
        if (auto const* const fixed_values = fixed(name)) {
            if (fixed_values->size() != rows * cols)
                refuse_size(name, fixed_values->size(), rows * cols);
            std::vector<T> chosen;
            for (const std::int32_t row : index)
                for (std::size_t j = 0; j < cols; ++j)
                    chosen.push_back((*fixed_values)[static_cast<std::size_t>(row) * cols + j] != 0
                                         ? kept
                                         : T(0));
            values.assign(std::move(chosen));
        } else {
            values.draw_rows(index, cols,
                             detail::DropoutMask<T>{of_batch(name).state(), rate, kept});
        }
        return {values.data(), index.size(), cols};
    }

    /// Uniform in [0, 1).
    MatrixView<T const> uniform(std::string_view name, std::size_t rows, std::size_t cols) {
        return matrix(name, rows, cols, detail::UniformNoise<T>{},
                      [](double value) { return static_cast<T>(value); });
    }

    /// Gumbel(0, 1): -log(-log(u)), u uniform in (0, 1).
    MatrixView<T const> gumbel(std::string_view name, std::size_t rows, std::size_t cols) {
        return matrix(name, rows, cols, detail::GumbelNoise<T>{},
                      [](double value) { return static_cast<T>(value); });
    }

private:
    static constexpr std::uint64_t none = std::numeric_limits<std::uint64_t>::max();

    struct Object {
        detail::Drawn<T, System> values;
        std::uint64_t seed = 0, batch = none;
        int epoch = -1;
        bool redraws = false;
    };

    Object& object(std::string_view name) {
        auto const at = objects_.find(name);
        return at != objects_.end() ? at->second : objects_[std::string(name)];
    }

    [[noreturn]] static void refuse_size(std::string_view name, std::size_t found,
                                         std::size_t expected) {
        throw std::invalid_argument("noise: '" + std::string(name) + "' has " +
                                    std::to_string(found) + " values, expected " +
                                    std::to_string(expected));
    }

    template <class Draw, class Convert>
    MatrixView<T const> matrix(std::string_view name, std::size_t rows, std::size_t cols, Draw draw,
                               Convert convert) {
        Object& object = this->object(name);
        const bool is_new = object.values.size() != rows * cols || object.seed != seed_ ||
                            object.epoch != epoch_ || object.batch != batch_ ||
                            object.redraws != redraws_;
        if (is_new) {
            object.seed = seed_;
            object.epoch = epoch_;
            object.batch = batch_;
            object.redraws = redraws_;
            if (auto const* values = fixed(name)) {
                if (values->size() != rows * cols) refuse_size(name, values->size(), rows * cols);
                std::vector<T> converted(values->size());
                std::transform(values->begin(), values->end(), converted.begin(), convert);
                object.values.assign(std::move(converted));
            } else {
                draw.stream = of_batch(name).state();
                object.values.draw(rows * cols, draw);
            }
        }
        return {object.values.data(), rows, cols};
    }

    std::uint64_t seed_ = 0, batch_ = none;
    int epoch_ = 0;
    bool redraws_ = false;
    Fixed fixed_;
    std::map<std::string, Object, std::less<>> objects_;
};

}  // namespace polder::recsys
