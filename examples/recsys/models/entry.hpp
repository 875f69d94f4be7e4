/// What the registry knows of a model class template. For the files that hold them.
#pragma once

#include <span>
#include <string>

#include "recsys/models/make.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/tape/eigen_backend.hpp"

namespace polder::recsys {

/// What a model class template says of its loss in parts of a batch.
template <template <class> class Model>
InParts in_parts([[maybe_unused]] Settings const& settings) {
    using OnCpu = Model<EigenBackend<float>>;
    using HyperParameters = typename OnCpu::HyperParameters;
    if constexpr (requires(HyperParameters const& values) { OnCpu::in_parts(values); }) {
        return OnCpu::in_parts(
            check(from_settings<HyperParameters>(OnCpu::model_name, settings), OnCpu::model_name));
    } else {
        return {.obstacle = "it does not say how the loss of a batch follows from those of parts"};
    }
}

/// The entry of a model class template.
template <template <class> class Model>
ModelEntry model_entry() {
    using OnCpu = Model<EigenBackend<float>>;
    double weight_decay = 0;
    if constexpr (requires { OnCpu::weight_decay; }) weight_decay = OnCpu::weight_decay;
    std::span<PublishedSettings const> published;
    if constexpr (requires { OnCpu::published; }) published = OnCpu::published;
    return {std::string(OnCpu::model_name),
            OnCpu::source,
            weight_decay,
            published,
            &describe<typename OnCpu::HyperParameters>,
            &in_parts<Model>,
            &make<Model, EigenBackend<float>>,
            &make<Model, EigenBackend<double>>};
}

}  // namespace polder::recsys
