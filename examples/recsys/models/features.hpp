/// Features of items as models take them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <polder/blocks/arena.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/tape/mirror.hpp"

namespace polder::recsys {

/// One modality as a (n_items x columns) matrix of T; no columns where the data set has none.
template <class T>
class Features {
public:
    Features() = default;
    explicit Features(FeatureMatrix const& from) : rows_(from.rows), columns_(from.columns) {
        if (from.exact.empty())
            values_.assign(from.values.begin(), from.values.end());
        else
            std::transform(from.exact.begin(), from.exact.end(), std::back_inserter(values_),
                           [](double value) { return static_cast<T>(value); });
    }

    /// Two modalities side by side, [left | right], of which one may be empty.
    Features(Features const& left, Features const& right)
        : rows_(std::max(left.rows_, right.rows_)), columns_(left.columns_ + right.columns_) {
        values_.reserve(rows_ * columns_);
        for (std::size_t row = 0; row < rows_; ++row)
            for (auto const* part : {&left, &right})
                values_.insert(values_.end(), part->values_.data() + row * part->columns_,
                               part->values_.data() + (row + 1) * part->columns_);
    }

    bool empty() const { return values_.empty(); }
    std::size_t columns() const { return columns_; }
    MatrixView<T const> view() const { return {values_.data(), rows_, columns_}; }

    /// Divides every row by max(its norm, 1e-12).
    void normalise_rows() {
        mirror.forget();
        for (std::size_t row = 0; row < rows_; ++row) {
            T* const values = values_.data() + row * columns_;
            double squares = 0;
            for (std::size_t j = 0; j < columns_; ++j)
                squares += static_cast<double>(values[j]) * static_cast<double>(values[j]);
            const double norm = std::max(std::sqrt(squares), 1e-12);
            for (std::size_t j = 0; j < columns_; ++j)
                values[j] = static_cast<T>(static_cast<double>(values[j]) / norm);
        }
    }

    /// Divides all values by the largest magnitude among them, if that is not 0.
    void divide_by_largest() {
        mirror.forget();
        T largest = 0;
        for (const T value : values_) largest = std::max(largest, std::abs(value));
        if (largest == T(0)) return;
        for (T& value : values_) value /= largest;
    }

    /// Writes the values to `to`, a matrix of the same shape.
    void copy_to(MatrixView<T> to) const { std::copy(values_.begin(), values_.end(), to.data); }

    DeviceMirror mirror;  ///< for tapes, see Tape::constant

private:
    std::size_t rows_ = 0, columns_ = 0;
    std::vector<T> values_;
};

/// Which modalities a model takes.
enum class Takes {
    visual_and_textual,  ///< no others
    any_number
};

/// Throws std::invalid_argument where `data` has no features at all, rows for other than all items, or modalities that the
/// model does not take.
inline void require_features(Dataset const& data, std::string_view model,
                             Takes takes = Takes::visual_and_textual) {
    if (data.visual.empty() && data.textual.empty() && data.further.empty())
        throw std::invalid_argument(std::string(model) + ": data set '" + data.name +
                                    "' has no features, expected visual or textual ones");
    if (takes == Takes::visual_and_textual && !data.further.empty())
        throw std::invalid_argument(std::string(model) +
                                    ": takes visual and textual features alone, and not '" +
                                    data.further.front().name + "'");
    std::vector<FeatureMatrix const*> all{&data.visual, &data.textual};
    for (auto const& each : data.further) all.push_back(&each.features);
    for (auto const* features : all)
        if (!features->empty() && features->rows != static_cast<std::size_t>(data.n_items))
            throw std::invalid_argument(std::string(model) + ": features of " +
                                        std::to_string(features->rows) + " items, expected " +
                                        std::to_string(data.n_items));
}

/// Throws std::invalid_argument also where `data` has only one kind of features.
inline void require_both_features(Dataset const& data, std::string_view model) {
    require_features(data, model);
    if (data.visual.empty() || data.textual.empty())
        throw std::invalid_argument(std::string(model) + ": data set '" + data.name +
                                    "' has only " + (data.visual.empty() ? "textual" : "visual") +
                                    " features, expected both");
}

/// All features of the items in one matrix: [textual | visual | further ...]. Throws as require_features does.
template <class T>
Features<T> all_side_by_side(Dataset const& data, std::string_view model) {
    require_features(data, model, Takes::any_number);
    auto result = Features<T>(Features<T>(data.textual), Features<T>(data.visual));
    for (auto const& each : data.further) result = Features<T>(result, Features<T>(each.features));
    return result;
}

}  // namespace polder::recsys
