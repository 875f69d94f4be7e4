/// The tables of methods for the device that POLDER_METHODS_SYSTEM names, and the learner there: for one file for
/// each device.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "recsys/models/device_models.hpp"
#include "recsys/training/composer.cpp"
#include "recsys/training/device_learner.hpp"
#include "recsys/training/methods_balls.cpp"
#include "recsys/training/methods_distances.cpp"
#include "recsys/training/methods_metrics.cpp"
#include "recsys/training/methods_mixes.cpp"

namespace polder::recsys::detail {

/// B: the back end of the same System.
template <class B>
std::unique_ptr<Learner> make_learner(Dataset const& data, std::string_view model,
                                      Settings const& settings, OptimizerOptions const& options) {
    OptionReader reader(options);
    auto optimizer = on_device::make(options, reader);
    return std::make_unique<DeviceLearner<B>>(data, make_model_on<B>(model, data, settings),
                                              std::move(optimizer), learning_rate_of(options));
}

}  // namespace polder::recsys::detail
