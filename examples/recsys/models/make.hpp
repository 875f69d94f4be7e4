/// A model of a class template.
#pragma once

#include <memory>

#include "recsys/data/dataset.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/model.hpp"

namespace polder::recsys {

/// Model<B> for `data`, with its default hyper-parameters changed by `settings`.
template <template <class> class Model, class B>
std::unique_ptr<ModelOn<B>> make(Dataset const& data, Settings const& settings, int threads) {
    using HyperParameters = typename Model<B>::HyperParameters;
    const auto values = from_settings<HyperParameters>(Model<B>::model_name, settings);
    return std::make_unique<Model<B>>(data, values, threads);
}

}  // namespace polder::recsys
