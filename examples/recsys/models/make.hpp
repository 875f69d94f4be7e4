/// A model of a class template.
#pragma once

#include <memory>

#include "recsys/data/dataset.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/model.hpp"
#include "recsys/models/tape_model.hpp"

namespace polder::recsys {

/// The model M on the back end B (models/tape_model.hpp) for `data`, with its default hyper-parameters changed by `settings`.
template <template <class> class M, class B>
std::unique_ptr<ModelOn<B>> make(Dataset const& data, Settings const& settings, int threads) {
    using Model = TapeModel<M, B>;
    auto const values = from_settings<typename Model::HyperParameters>(M<B>::model_name, settings);
    return std::make_unique<Model>(data, values, threads);
}

}  // namespace polder::recsys
