#include "recsys/training/trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <polder/closure/non_finite.hpp>
#include <polder/closure/pass.hpp>

#include "recsys/models/negatives.hpp"
#include "recsys/names.hpp"

namespace polder::recsys {

namespace {

// Nobody waits for a device after each batch.
constexpr std::size_t batches_between_looks = 64;

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

TrainingOptions valid(TrainingOptions options) {
    options.validate();
    return options;
}

}  // namespace

void TrainingOptions::validate() const {
    auto const require = [](bool holds, std::string_view name, auto value,
                            std::string_view expected) {
        if (!holds)
            throw std::invalid_argument(std::string(name) + " = " + std::to_string(value) +
                                        ", expected " + std::string(expected));
    };
    require(epochs >= 1, "epochs", epochs, "at least 1");
    require(batch_size >= 1, "batch size", batch_size, "at least 1");
    require(eval_step >= 1, "evaluation step", eval_step, "at least 1");
    require(stopping_step >= 0, "stopping step", stopping_step, "at least 0");
    require(eval_users >= 0, "users of an evaluation", eval_users, "at least 0");
    require(threads >= 1, "threads", threads, "at least 1");
    require(micro_batches >= 1 && micro_batches <= batch_size, "micro-batches", micro_batches,
            "1 to the batch size");
    require(std::isfinite(decay_factor) && decay_factor > 0, "learning rate decay", decay_factor,
            "a number > 0");
    require(std::isfinite(decay_epochs) && decay_epochs > 0, "epochs of learning rate decay",
            decay_epochs, "a number > 0");
    static_cast<void>(Metrics{}[valid_metric]);
    static std::vector<std::string> const selections{"best", "last"};
    require_known("selection of an epoch", select, selections);
    if (stop != "valid" && stop != "loss")
        throw std::invalid_argument("stop = '" + stop + "', expected valid or loss");
}

Trainer::Trainer(Dataset const& data, Learner& learner, TrainingOptions options)
    : data_(data), learner_(learner), options_(valid(std::move(options))),
      sampler_(data, static_cast<std::size_t>(options_.batch_size), options_.seed,
               options_.half_steps, draws_negatives(learner.model().name())),
      full_sort_(data),
      between_epochs_(
          data, {.users = static_cast<std::size_t>(options_.eval_users), .seed = options_.seed}) {
    if (data.valid.empty() && !selects_last())
        throw std::runtime_error("data set '" + data.name +
                                 "' has no validation rows (x_label 1) to choose an epoch by; "
                                 "--select last takes the last epoch");
    learner_.model().declare(parameters_);
    learner_.model().initialise(parameters_, options_.seed);
    learner_.bind(parameters_, options_.threads);
}

Ending Trainer::run(TrainingObserver& observer) {
    Learner::RowsOf const rows_of = [this](Pass pass) {
        ++state_.gradients;
        auto const batch = sampler_.batch(pass.batch, state_.epoch, state_.batch);
        if (pass.sample < 0) return batch;
        // Methods that ask for single samples may ask for more than there are.
        return batch.rows(static_cast<std::size_t>(pass.sample) % batch.size(), 1);
    };
    while (state_.epoch < options_.epochs && !is_stopped_early()) {
        learner_.scale_learning_rate(decay(state_.epoch));
        enter_epoch(state_.epoch);
        if (state_.batch == 0) learner_.begin_epoch();
        while (state_.batch < sampler_.n_batches()) {
            auto const start = now();
            Report report;
            auto const gradients = state_.gradients;
            try {
                report = learner_.step(parameters_, rows_of);
            } catch (NonFiniteError const& error) {
                message_ = error.what();
                return Ending::not_finite;
            }
            ++state_.batch;
            // Some samples are those of other ranks.
            if (options_.ranks)
                state_.gradients = gradients + static_cast<std::size_t>(report.evaluations);
            state_.loss.add(std::isnan(report.loss) ? report.perturbed_loss : report.loss);
            state_.sharpness.add(report.sharpness());
            note_ascent(report.cosine, report.distance);
            state_.seconds += now() - start;
            observer.after_batch(*this, report);
            bool const stops = any(options_.ranks, observer.should_stop());
            if (stops || state_.batch % batches_between_looks == 0 ||
                state_.batch == sampler_.n_batches())
                if (!take_losses()) return Ending::not_finite;
            if (!stops) continue;
            learner_.fetch(parameters_);
            return Ending::interrupted;
        }
        learner_.fetch(parameters_);
        finish_epoch();
        observer.after_epoch(*this);
    }
    evaluate_best_on_all();
    return is_stopped_early() ? Ending::early_stopping : Ending::all_epochs;
}

Ending Trainer::run() {
    TrainingObserver silent;
    return run(silent);
}

Representations<float> Trainer::best_representations() {
    auto& model = learner_.model();
    if (state_.best_epoch < 0) return model.representations(parameters_);
    enter_epoch(state_.best_epoch);
    return model.representations(best_parameters_);
}

std::vector<UserHits> Trainer::best_test_hits() {
    return full_sort_.test_hits(best_representations(), options_.threads);
}

// Evaluations since the best.
int Trainer::n_without_gain() const {
    if (options_.stop == "valid") return state_.n_without_gain;
    double lowest = std::numeric_limits<double>::infinity();
    int n = 0;
    for (auto const& epoch : state_.epochs) {
        if (!epoch.metrics) continue;
        n = epoch.loss < lowest ? 0 : n + 1;
        lowest = std::min(lowest, epoch.loss);
    }
    return n;
}

PairLoss Trainer::best_pair_loss() { return pair_loss(data_, best_representations()); }

double Trainer::decay(int epoch) const {
    return std::pow(options_.decay_factor, static_cast<double>(epoch) / options_.decay_epochs);
}

// Once for each epoch: a run that was interrupted goes on with the graphs that it has.
void Trainer::enter_epoch(int epoch) {
    if (epoch == model_epoch_) return;
    learner_.model().begin_epoch(options_.seed, epoch);
    model_epoch_ = epoch;
}

void Trainer::restore(ParameterArena<float> parameters, ParameterArena<float> best_parameters,
                      TrainingState state, Csr<float> carried) {
    model_epoch_ = -1;
    if (carried.offsets.size() > 1) {
        enter_epoch(state.epoch);
        *learner_.model().carried_graph() = std::move(carried);
    }
    parameters_ = std::move(parameters);
    learner_.give(parameters_);
    best_parameters_ = std::move(best_parameters);
    state_ = std::move(state);
}

void Trainer::note_ascent(double cosine, double distance) {
    state_.cosine.add(cosine);
    state_.distance.add(distance);
    if (std::isnan(cosine)) return;  // a step of the base optimizer alone
    state_.n_downhill = cosine < 0 ? state_.n_downhill + 1 : 0;
}

// What a device has of the steps so far; false where something was not finite.
bool Trainer::take_losses() {
    auto const start = now();
    try {
        auto const sums = learner_.take_losses();
        state_.loss.add(sums.loss, sums.loss_steps);
        state_.sharpness.add(sums.sharpness, sums.sharpness_steps);
        note_ascent(sums.cosine, sums.distance);
    } catch (NonFiniteError const& error) {
        message_ = error.what();
        learner_.fetch(parameters_);
    }
    state_.seconds += now() - start;
    return message_.empty();
}

void Trainer::finish_epoch() {
    EpochRecord record;
    record.epoch = state_.epoch;
    record.loss = state_.loss.value();
    record.sharpness = state_.sharpness.value();
    record.cosine = state_.cosine.value();
    record.distance = state_.distance.value();
    record.gradients = state_.gradients;
    record.train_seconds = state_.seconds;
    bool const is_result = selects_last() && state_.epoch + 1 == options_.epochs;
    if ((state_.epoch + 1) % options_.eval_step == 0 || is_result) {
        auto const start = now();
        record.metrics = learner_.evaluate(between_epochs_, parameters_, options_.threads);
        record.evaluation_seconds = now() - start;
        compare_with_best(*record.metrics);
    }
    state_.epochs.push_back(std::move(record));
    ++state_.epoch;
    state_.batch = state_.gradients = 0;
    state_.seconds = 0;
    state_.loss = state_.sharpness = state_.cosine = state_.distance = {};
}

void Trainer::evaluate_best_on_all() {
    if (options_.eval_users == 0 || state_.best_epoch < 0) return;
    state_.best = full_sort_(best_representations(), options_.threads, options_.ranks);
}

void Trainer::compare_with_best(FullSort::Result const& metrics) {
    double const value = round_to_4_decimals(metrics.valid[options_.valid_metric]);
    if (value > state_.best_value || selects_last()) {
        state_.best_value = value;
        state_.best_epoch = state_.epoch;
        state_.best = metrics;
        state_.n_without_gain = 0;
        best_parameters_ = parameters_;
    } else {
        ++state_.n_without_gain;
    }
}

}  // namespace polder::recsys
