/// How a learner on a device is made. For one file for each device.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include <polder/device/engine.hpp>

#include "recsys/models/device_models.hpp"
#include "recsys/training/device_learner.hpp"
#include "recsys/training/methods.hpp"

namespace polder::recsys::detail {

/// B: the back end of the same System.
template <class B>
std::unique_ptr<Learner> make_learner(Dataset const& data, std::string_view model,
                                      Settings const& settings, OptimizerOptions const& options) {
    registry::OptionReader reader(options.values);
    auto optimizer = std::make_unique<AnyOptimizerOn<typename B::System>>(
        make_optimizer_on<typename B::System>(options, reader));
    return std::make_unique<DeviceLearner<B>>(data, make_model_on<B>(model, data, settings),
                                              std::move(optimizer), learning_rate_of(options),
                                              options.rates);
}

}  // namespace polder::recsys::detail
