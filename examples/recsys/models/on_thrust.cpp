// The models on Thrust's C++ system.
#include <memory>

#include "support/thrust_of_environment.hpp"

#include "recsys/models/all_models.hpp"
#include "recsys/models/device_models.hpp"
#include "recsys/models/visiting_model.hpp"

namespace polder::recsys {

template <class T>
std::unique_ptr<AnyModel<T>> make_model_on_thrust(std::string_view name, Dataset const& data,
                                                  Settings const& settings) {
    using B = DeviceBackend<T, polder::test::ThrustOfEnvironment>;
    return std::make_unique<VisitingModel<B>>(make_model_on<B>(name, data, settings));
}

template std::unique_ptr<ModelOn<DeviceBackend<float, polder::test::ThrustOfEnvironment>>>
make_model_on<DeviceBackend<float, polder::test::ThrustOfEnvironment>>(std::string_view,
                                                                       Dataset const&,
                                                                       Settings const&);
template std::unique_ptr<ModelOn<DeviceBackend<double, polder::test::ThrustOfEnvironment>>>
make_model_on<DeviceBackend<double, polder::test::ThrustOfEnvironment>>(std::string_view,
                                                                        Dataset const&,
                                                                        Settings const&);
template std::unique_ptr<AnyModel<float>> make_model_on_thrust(std::string_view, Dataset const&,
                                                               Settings const&);
template std::unique_ptr<AnyModel<double>> make_model_on_thrust(std::string_view, Dataset const&,
                                                                Settings const&);

}  // namespace polder::recsys
