// Training on Thrust's C++ system.
#include "support/thrust_of_environment.hpp"

#include "recsys/training/make_device_learner.hpp"

namespace polder::recsys {

std::unique_ptr<Learner> make_learner_on_thrust(Dataset const& data, std::string_view model,
                                                Settings const& settings,
                                                OptimizerOptions const& optimizer) {
    return detail::make_learner<DeviceBackend<float, polder::test::ThrustOfEnvironment>>(
        data, model, settings, optimizer);
}

}  // namespace polder::recsys
