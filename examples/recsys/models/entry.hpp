/// What the registry knows of a model class template. For the files that hold them.
#pragma once

#include <span>

#include "recsys/models/make.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/tape/eigen_backend.hpp"

namespace polder::recsys {

/// The entry of a model class template.
template <template <class> class Model>
constexpr ModelEntry model_entry() {
    using OnCpu = Model<EigenBackend<float>>;
    double weight_decay = 0;
    if constexpr (requires { OnCpu::weight_decay; }) weight_decay = OnCpu::weight_decay;
    std::span<PublishedSettings const> published;
    if constexpr (requires { OnCpu::published; }) published = OnCpu::published;
    return {OnCpu::model_name,
            OnCpu::source,
            weight_decay,
            published,
            &describe<typename OnCpu::HyperParameters>,
            &make<Model, EigenBackend<float>>,
            &make<Model, EigenBackend<double>>};
}

}  // namespace polder::recsys
