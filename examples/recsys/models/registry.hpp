/// All models by name. A new model is one header and one line in models.def.
#pragma once

#include <concepts>
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

    std::string_view name;
    std::string_view source;  ///< the paper
    double weight_decay;      ///< that the reference trains with, added to the gradient
    std::span<PublishedSettings const> published;
    std::vector<HyperParameterDescription> (*hyper_parameters)();
    Make<float>* make_float;
    Make<double>* make_double;
};

/// Every model of the suite, in the order of models.def.
std::span<ModelEntry const> models();

/// The entry of `name`. Throws std::invalid_argument with the nearest and all known names.
inline ModelEntry const& find_model(std::string_view name) {
    for (auto const& entry : models())
        if (entry.name == name) return entry;
    refuse_name("model", name, names_of(models()));
}

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
