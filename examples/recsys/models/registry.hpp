/// All models by name. A new model is one header and one line in models.def.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/model.hpp"
#include "recsys/names.hpp"

namespace polder::recsys {

/// What is known of a model before it is made.
struct ModelEntry {
    template <class T>
    using Make = std::unique_ptr<AnyModel<T>>(Dataset const&, Settings const&, int threads);

    std::string name;
    std::string_view source;  ///< the paper
    double weight_decay;      ///< that the reference trains with, added to the gradient
    std::span<PublishedSettings const> published;
    std::function<std::vector<HyperParameterDescription>()> hyper_parameters;
    std::function<InParts(Settings const&)>
        in_parts;  ///< throws std::invalid_argument for values out of range
    std::function<Make<float>> make_float;
    std::function<Make<double>> make_double;
};

/// Every model of the suite, in the order of models.def.
std::span<ModelEntry const> models();

/// What comes after the name of a model with features for the same model under attack (models/attacked.hpp), on the host.
inline constexpr std::string_view attacked_ending = "+a";

/// The entry of `name`, with or without that ending. Throws std::invalid_argument with the nearest and all known names.
ModelEntry const& find_model(std::string_view name);

/// Whether a model cannot be made of data without features.
bool needs_features(ModelEntry const& model);

/// The model `name` for `data`, with its default hyper-parameters changed by `settings`. Keeps no
/// reference to `data`. Throws std::invalid_argument for unknown names and values out of range.
template <class T>
std::unique_ptr<AnyModel<T>> make_model(std::string_view name, Dataset const& data,
                                        Settings const& settings, int threads) {
    ModelEntry const& entry = find_model(name);
    if constexpr (std::same_as<T, float>)
        return entry.make_float(data, settings, threads);
    else
        return entry.make_double(data, settings, threads);
}

}  // namespace polder::recsys
