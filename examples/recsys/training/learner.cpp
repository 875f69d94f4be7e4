#include "recsys/training/learner.hpp"

#include <utility>
#include <variant>

#include <polder/state/state.hpp>

namespace polder::recsys {

double learning_rate_of(OptimizerOptions const& options) {
    double rate = 0;
    for (auto const& each : optimizer_values(options))
        if (each.name == "learning_rate") rate = std::get<double>(each.value);
    return rate;
}

HostLearner::HostLearner(std::unique_ptr<AnyModel<float>> model, OptimizerOptions const& optimizer)
    : model_(std::move(model)), optimizer_(make_optimizer(optimizer)),
      learning_rate_(learning_rate_of(optimizer)) {}

void HostLearner::bind(ParameterArena<float>& parameters, int threads) {
    optimizer_->set_threads(threads);
    freeze(*optimizer_, model_->frozen());
    optimizer_->bind(parameters);
}

void HostLearner::scale_learning_rate(double factor) {
    optimizer_->set_learning_rate(learning_rate_ * factor);
}

Report HostLearner::step(ParameterArena<float>& parameters, RowsOf const& rows_of) {
    return optimizer_->step(
        parameters, [&](ParameterArena<float> const& x, ParameterArena<float>& gradient,
                        Pass pass) { return model_->loss(x, rows_of(pass), pass, gradient); });
}

FullSort::Result HostLearner::evaluate(FullSort const& full_sort,
                                       ParameterArena<float> const& parameters, int threads) {
    return full_sort(model_->representations(parameters), threads);
}

void HostLearner::add_state(SafetensorsWriter& writer, ParameterArena<float>& parameters) {
    polder::add_state(writer, *optimizer_, parameters);
}

void HostLearner::load_state(SafetensorsFile& file, ParameterArena<float>& parameters) {
    *optimizer_ = read_state(file, *optimizer_, parameters);
}

}  // namespace polder::recsys
