/// Models on the back end for devices, for those who keep parameters on the host.
#pragma once

#include <memory>
#include <string_view>

#include "recsys/data/dataset.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/model.hpp"

namespace polder::recsys {

/// As make_model, for a model on the back end B of a device, whose parameters lie there: DeviceBackend<T, ThrustCpp>
/// in the library polder_recsys_models_thrust, CudaBackend<T> in polder_recsys_models_cuda.
template <class B>
std::unique_ptr<ModelOn<B>> make_model_on(std::string_view name, Dataset const& data,
                                          Settings const& settings);

/// As make_model, for a model that computes on a device and has copies of all parameters made there in every
/// call, and of all results on the host: to compare devices, not to train. T: float or double.
///
/// On Thrust's C++ system, which is the calling thread: library polder_recsys_models_thrust.
template <class T>
std::unique_ptr<AnyModel<T>> make_model_on_thrust(std::string_view name, Dataset const& data,
                                                  Settings const& settings);

/// On the GPU that is current: library polder_recsys_models_cuda. Throws polder::CudaError where there is
/// none.
template <class T>
std::unique_ptr<AnyModel<T>> make_model_on_cuda(std::string_view name, Dataset const& data,
                                                Settings const& settings);

}  // namespace polder::recsys
