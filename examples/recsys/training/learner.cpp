#include "recsys/training/learner.hpp"

#include <mutex>
#include <utility>
#include <variant>

#include <polder/closure/concurrent.hpp>
#include <polder/state/state.hpp>

namespace polder::recsys {

double learning_rate_of(OptimizerOptions const& options) {
    double rate = 0;
    for (auto const& each : optimizer_values(options))
        if (each.name == "learning_rate") rate = std::get<double>(each.value);
    return rate;
}

HostLearner::HostLearner(std::unique_ptr<AnyModel<float>> model, OptimizerOptions const& optimizer,
                         Ranks ranks)
    : model_(std::move(model)), optimizer_(make_optimizer(optimizer)),
      learning_rate_(learning_rate_of(optimizer)), rates_(optimizer.rates),
      ranks_(std::move(ranks)) {}

void HostLearner::bind(ParameterArena<float>& parameters, int threads) {
    optimizer_->set_threads(threads);
    optimizer_->settings().set_ranks(ranks_);
    group_parameters(*optimizer_, model_->frozen(), rates_);
    optimizer_->bind(parameters);
}

void HostLearner::scale_learning_rate(double factor) {
    scale_learning_rates(*optimizer_, learning_rate_, rates_, factor);
}

Report HostLearner::step(ParameterArena<float>& parameters, RowsOf const& rows_of) {
    std::mutex one_at_a_time;
    auto const rows = [&](Pass pass) {
        std::lock_guard const lock(one_at_a_time);
        // The run deals samples to the ranks in turn, and asks each for its own by their number there.
        if (ranks_ && pass.sample >= 0) pass.sample = pass.sample * ranks_->size + ranks_->rank;
        return rows_of(pass);
    };
    auto const closure = [&](ParameterArena<float> const& x, ParameterArena<float>& gradient,
                             Pass pass) { return model_->loss(x, rows(pass), pass, gradient); };
    model_->begin_step();
    if (model_->is_concurrent()) return optimizer_->step(parameters, concurrent(closure));
    return optimizer_->step(parameters, closure);
}

FullSort::Result HostLearner::evaluate(FullSort const& full_sort,
                                       ParameterArena<float> const& parameters, int threads) {
    return full_sort(model_->representations(parameters), threads, ranks_);
}

void HostLearner::add_state(SafetensorsWriter& writer, ParameterArena<float>& parameters) {
    polder::add_state(writer, *optimizer_, parameters);
}

void HostLearner::load_state(SafetensorsFile& file, ParameterArena<float>& parameters) {
    *optimizer_ = read_state(file, *optimizer_, parameters);
}

}  // namespace polder::recsys
