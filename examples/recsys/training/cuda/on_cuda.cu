// Training on CUDA.
#include "recsys/tape/cuda_backend.hpp"

#include "recsys/training/make_device_learner.hpp"

namespace polder::recsys {

std::unique_ptr<Learner> make_learner_on_cuda(Dataset const& data, std::string_view model,
                                              Settings const& settings,
                                              OptimizerOptions const& optimizer) {
    return detail::make_learner<CudaBackend<float>>(data, model, settings, optimizer);
}

}  // namespace polder::recsys
