// The models on CUDA.
#include <memory>

#include "recsys/models/all_models.hpp"
#include "recsys/models/device_models.hpp"
#include "recsys/models/visiting_model.hpp"
#include "recsys/tape/cuda_backend.hpp"

namespace polder::recsys {

template <class T>
std::unique_ptr<AnyModel<T>> make_model_on_cuda(std::string_view name, Dataset const& data,
                                                Settings const& settings) {
    using B = CudaBackend<T>;
    return std::make_unique<VisitingModel<B>>(make_model_on<B>(name, data, settings));
}

template std::unique_ptr<ModelOn<CudaBackend<float>>>
make_model_on<CudaBackend<float>>(std::string_view, Dataset const&, Settings const&);
template std::unique_ptr<ModelOn<CudaBackend<double>>>
make_model_on<CudaBackend<double>>(std::string_view, Dataset const&, Settings const&);
template std::unique_ptr<AnyModel<float>> make_model_on_cuda(std::string_view, Dataset const&,
                                                             Settings const&);
template std::unique_ptr<AnyModel<double>> make_model_on_cuda(std::string_view, Dataset const&,
                                                              Settings const&);

}  // namespace polder::recsys
