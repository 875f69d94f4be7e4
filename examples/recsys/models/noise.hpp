/// The random objects of training, by name.
#pragma once

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

#include "recsys/random.hpp"

namespace polder::recsys {

/// Matrices of random numbers that depend on seed, epoch, batch and their name alone.
///
/// A matrix is drawn when it is first asked for in a batch; asked for again in the same batch (the
/// second pass of a sharpness-aware step), it is still the same. Views stay valid until the next batch.
template <class T>
class Noise {
public:
    /// From now on the object `name` has these values and is not drawn.
    void fix(std::string name, std::vector<double> values) {
        fixed_.insert_or_assign(std::move(name), std::move(values));
    }

    /// The fixed values of `name`, or null.
    [[nodiscard]] std::vector<double> const* fixed(std::string_view name) const {
        const auto at = fixed_.find(name);
        return at == fixed_.end() ? nullptr : &at->second;
    }

    void begin_epoch(std::uint64_t seed, int epoch) {
        seed_ = seed;
        epoch_ = epoch;
        batch_ = none;
    }
    void begin_batch(std::uint64_t number) { batch_ = number; }
    /// For models whose scores are random: what is drawn then is the same in the whole epoch.
    void begin_inference() { batch_ = none; }

    /// The stream of random numbers of `name` in this epoch, whatever the batch.
    [[nodiscard]] Random of_epoch(std::string_view name) const {
        return Random(seed_, "epoch", name, epoch_);
    }
    /// The same for this batch.
    [[nodiscard]] Random of_batch(std::string_view name) const {
        return Random(seed_, "batch", name, epoch_, batch_);
    }

    /// Inverted dropout: every entry is 0 with probability `rate`, else 1 / (1 - rate). A fixed mask
    /// says 1 for "kept" and 0 for "dropped".
    MatrixView<T const> dropout(std::string_view name, std::size_t rows, std::size_t cols,
                                double rate) {
        const T kept = static_cast<T>(1 / (1 - rate));
        return matrix(
            name, rows, cols, [&](Random& random) { return random.uniform() < rate ? T(0) : kept; },
            [&](double keep) { return keep != 0 ? kept : T(0); });
    }

    /// The rows `index` of such a matrix with `rows` rows, (index.size() x cols): a row that occurs twice has
    /// one mask. Valid until the next call for that name.
    MatrixView<T const> dropout_rows(std::string_view name, std::span<std::int32_t const> index,
                                     std::size_t rows, std::size_t cols, double rate) {
        const T kept = static_cast<T>(1 / (1 - rate));
        auto const* const fixed_values = fixed(name);
        if (fixed_values != nullptr && fixed_values->size() != rows * cols)
            refuse_size(name, fixed_values->size(), rows * cols);
        auto& values = object(name).values;
        values.resize(index.size() * cols);
        auto to = values.begin();
        for (const std::int32_t row : index) {
            Random random(seed_, "batch", name, epoch_, batch_, row);
            for (std::size_t j = 0; j < cols; ++j) {
                const bool is_kept =
                    fixed_values != nullptr
                        ? (*fixed_values)[static_cast<std::size_t>(row) * cols + j] != 0
                        : random.uniform() >= rate;
                *to++ = is_kept ? kept : T(0);
            }
        }
        return {values.data(), index.size(), cols};
    }

    /// Uniform in [0, 1).
    MatrixView<T const> uniform(std::string_view name, std::size_t rows, std::size_t cols) {
        return matrix(
            name, rows, cols, [](Random& random) { return static_cast<T>(random.uniform()); },
            [](double value) { return static_cast<T>(value); });
    }

    /// Gumbel(0, 1): -log(-log(u)), u uniform in (0, 1).
    MatrixView<T const> gumbel(std::string_view name, std::size_t rows, std::size_t cols) {
        return matrix(
            name, rows, cols,
            [](Random& random) {
                return static_cast<T>(-std::log(-std::log1p(-random.uniform()) + tiny));
            },
            [](double value) { return static_cast<T>(value); });
    }

private:
    static constexpr std::uint64_t none = std::numeric_limits<std::uint64_t>::max();
    static constexpr double tiny = std::numeric_limits<double>::min();  // u = 0 has no logarithm

    struct Object {
        std::vector<T> values;
        std::uint64_t seed = 0, batch = none;
        int epoch = -1;
    };

    Object& object(std::string_view name) {
        const auto at = objects_.find(name);
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
                            object.epoch != epoch_ || object.batch != batch_;
        if (is_new) {
            object.values.resize(rows * cols);
            object.seed = seed_;
            object.epoch = epoch_;
            object.batch = batch_;
            if (auto const* values = fixed(name)) {
                if (values->size() != rows * cols) refuse_size(name, values->size(), rows * cols);
                for (std::size_t k = 0; k < rows * cols; ++k)
                    object.values[k] = convert((*values)[k]);
            } else {
                Random random = of_batch(name);
                for (T& value : object.values) value = draw(random);
            }
        }
        return {object.values.data(), rows, cols};
    }

    std::uint64_t seed_ = 0, batch_ = none;
    int epoch_ = 0;
    std::map<std::string, std::vector<double>, std::less<>> fixed_;
    std::map<std::string, Object, std::less<>> objects_;
};

}  // namespace polder::recsys
