/// A model and an optimizer that train on a device, for a trainer on the host.
#pragma once

#include <memory>
#include <string_view>

#include "recsys/data/dataset.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/model.hpp"
#include "recsys/training/optimizer.hpp"
#include "recsys/training/trainer.hpp"

namespace polder::recsys {

/// Parameters, gradients and the state of the optimizer lie on the device. What the trainer has of the parameters
/// is as of the last fetch() of the optimizer. model() and optimizer() belong together: the trainer takes both.
class DeviceTraining {
public:
    DeviceTraining() = default;
    DeviceTraining(DeviceTraining const&) = delete;
    DeviceTraining& operator=(DeviceTraining const&) = delete;
    virtual ~DeviceTraining() = default;

    virtual AnyModel<float>& model() = 0;
    virtual AnyOptimizer& optimizer() = 0;
    /// Full-sort evaluation there, of the parameters that are there.
    virtual Evaluation evaluation() = 0;
};

/// On the GPU that is current: library polder_recsys_cuda. Throws polder::CudaError where there is none, and what
/// make_model and make_optimizer throw.
std::unique_ptr<DeviceTraining> make_training_on_cuda(Dataset const& data, std::string_view model,
                                                      Settings const& settings,
                                                      OptimizerOptions const& optimizer);

/// The same on Thrust's C++ system, which is the calling thread, to test it: library polder_recsys_thrust.
std::unique_ptr<DeviceTraining> make_training_on_thrust(Dataset const& data, std::string_view model,
                                                        Settings const& settings,
                                                        OptimizerOptions const& optimizer);

}  // namespace polder::recsys
