/// The training loop: epochs of batches, evaluation, early stopping.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <polder/blocks/arena.hpp>
#include <polder/closure/non_finite.hpp>
#include <polder/closure/pass.hpp>
#include <polder/closure/report.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/evaluation/full_sort.hpp"
#include "recsys/evaluation/metrics.hpp"
#include "recsys/models/model.hpp"
#include "recsys/training/optimizer.hpp"
#include "recsys/training/sampler.hpp"

namespace polder::recsys {

/// How long to train, on what, and when to stop; the defaults are MMRec's.
struct TrainingOptions {
    int epochs = 1000;         ///< at most
    int batch_size = 2048;     ///< rows per batch
    std::uint64_t seed = 999;  ///< of initial values, batches and negatives
    int eval_step = 1;         ///< epochs from one evaluation to the next
    int stopping_step = 20;    ///< evaluations without a gain that are tolerated
    std::string valid_metric = "recall@20";
    double learning_rate = 1e-3;
    /// In epoch e (from 0) the learning rate is learning_rate * decay_factor^(e / decay_epochs).
    double decay_factor = 1;
    double decay_epochs = 50;
    int threads =
        1;  ///< of everything but the model, which has its own; results do not depend on it

    /// Throws std::invalid_argument with name, value and range of what is out of range.
    void validate() const {
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
        require(threads >= 1, "threads", threads, "at least 1");
        require(std::isfinite(learning_rate) && learning_rate >= 0, "learning rate", learning_rate,
                "a finite number >= 0");
        require(std::isfinite(decay_factor) && decay_factor > 0, "learning rate decay",
                decay_factor, "a number > 0");
        require(std::isfinite(decay_epochs) && decay_epochs > 0, "epochs of learning rate decay",
                decay_epochs, "a number > 0");
        static_cast<void>(Metrics{}[valid_metric]);
    }
};

/// What one epoch gave.
struct EpochRecord {
    int epoch = 0;         ///< from 0
    double loss = 0;       ///< mean over the batches of L_B1, before each step
    double sharpness = 0;  ///< mean of L_B1(x + eps) - L_B1(x) over the batches with an eps; or NaN
    double train_seconds = 0;  ///< batches and steps
    double evaluation_seconds = 0;
    std::optional<FullSort::Result> metrics;  ///< in epochs that were evaluated
};

/// Everything that the loop carries from batch to batch, besides parameters and optimizer state.
/// Random draws are functions of (seed, epoch, batch), so these numbers are the random state too.
struct TrainingState {
    int epoch = 0;                                        ///< of the next batch
    std::size_t batch = 0;                                ///< the next batch
    double loss_sum = 0, sharpness_sum = 0, seconds = 0;  ///< over this epoch's batches so far
    std::size_t sharpness_batches = 0;                    ///< how many are in sharpness_sum
    std::vector<EpochRecord> epochs;                      ///< finished epochs
    int best_epoch = -1;                                  ///< -1: none yet
    double best_value = -1;                               ///< of the valid metric, rounded
    int n_without_gain = 0;                               ///< evaluations since the best
    FullSort::Result best;                                ///< metrics of the best epoch

    /// Over this epoch's batches so far; NaN where none had one.
    double mean_sharpness() const { return sharpness_sum / static_cast<double>(sharpness_batches); }
};

/// Why training ended.
enum class Ending {
    all_epochs,      ///< every epoch was trained
    early_stopping,  ///< no gain for stopping_step + 1 evaluations
    interrupted,     ///< asked to stop, after a batch
    not_finite  ///< a loss or gradient was infinite or not-a-number; the last step is not taken
};

/// Trains a model. In each epoch: the model's begin_epoch, all batches, one step each, and every
/// eval_step epochs an evaluation of valid and test.
///
/// Early stopping looks at the valid metric rounded to 4 decimals. An evaluation is a gain if its
/// value is higher than all before; after stopping_step + 1 evaluations in a row without a gain,
/// training ends. The result is the metrics of the best epoch; its parameters are kept beside the
/// current ones.
///
/// The course of training depends on data, model, optimizer and options, but not on threads, nor on
/// being interrupted and continued.
class Trainer {
public:
    /// `data`, `model` and `optimizer` must outlive the trainer. Sets initial values.
    Trainer(Dataset const& data, AnyModel<float>& model, AnyOptimizer& optimizer,
            TrainingOptions options)
        : model_(model), optimizer_(optimizer), options_(valid(std::move(options))),
          sampler_(data, static_cast<std::size_t>(options_.batch_size), options_.seed),
          full_sort_(data) {
        if (data.valid.empty())
            throw std::runtime_error("data set '" + data.name +
                                     "' has no validation rows (x_label 1) to choose an epoch by");
        model_.declare(parameters_);
        model_.initialise(parameters_, options_.seed);
        optimizer_.set_threads(options_.threads);
        optimizer_.freeze(model_.frozen());
        optimizer_.bind(parameters_);
    }

    Trainer(Trainer const&) = delete;
    Trainer& operator=(Trainer const&) = delete;

    /// Trains until there is a reason to end. `observer` has any of
    ///
    ///     void after_batch(Trainer const&, Report const&)
    ///     void after_epoch(Trainer const&)              the record is state().epochs.back()
    ///     bool should_stop()                            asked after every batch
    ///
    /// Called again after an interruption, it goes on with the next batch.
    template <class Observer>
    Ending run(Observer&& observer) {
        Closure const closure = [this](ParameterArena<float> const& x,
                                       ParameterArena<float>& gradient, Pass pass) {
            auto batch = sampler_.batch(pass.batch, state_.epoch, state_.batch);
            if (pass.sample >= 0) keep_row(batch, static_cast<std::size_t>(pass.sample));
            return model_.loss(x, batch, pass, gradient);
        };
        while (state_.epoch < options_.epochs && !is_stopped_early()) {
            optimizer_.set_learning_rate(learning_rate(state_.epoch));
            model_.begin_epoch(options_.seed, state_.epoch);
            if (state_.batch == 0) optimizer_.begin_epoch();
            while (state_.batch < sampler_.n_batches()) {
                auto const start = now();
                Report report;
                try {
                    report = optimizer_.step(parameters_, closure);
                } catch (NonFiniteError const& error) {
                    message_ = error.what();
                    return Ending::not_finite;
                }
                ++state_.batch;
                state_.loss_sum += report.loss;
                if (!std::isnan(report.sharpness())) {
                    state_.sharpness_sum += report.sharpness();
                    ++state_.sharpness_batches;
                }
                state_.seconds += now() - start;
                if constexpr (requires { observer.after_batch(*this, report); })
                    observer.after_batch(*this, report);
                if constexpr (requires { observer.should_stop(); })
                    if (observer.should_stop()) return Ending::interrupted;
            }
            finish_epoch();
            if constexpr (requires { observer.after_epoch(*this); }) observer.after_epoch(*this);
        }
        return is_stopped_early() ? Ending::early_stopping : Ending::all_epochs;
    }

    /// As above, without an observer.
    Ending run() { return run(Silent{}); }

    TrainingOptions const& options() const { return options_; }
    TrainingState const& state() const { return state_; }
    std::size_t n_batches() const { return sampler_.n_batches(); }

    /// The current parameters, and those of the best epoch (empty before the first evaluation).
    ParameterArena<float> const& parameters() const { return parameters_; }
    ParameterArena<float>& parameters() { return parameters_; }
    ParameterArena<float> const& best_parameters() const { return best_parameters_; }
    ParameterArena<float>& best_parameters() { return best_parameters_; }

    /// What the model of the best epoch (of now, before the first evaluation) recommends by. The views are
    /// valid until the model is used again.
    Representations<float> best_representations() {
        if (state_.best_epoch < 0) return model_.representations(parameters_);
        model_.begin_epoch(options_.seed, state_.best_epoch);
        return model_.representations(best_parameters_);
    }

    /// What the lists of these hit in test.
    std::vector<UserHits> best_test_hits() {
        return full_sort_.test_hits(best_representations(), options_.threads);
    }

    /// What was not finite, after Ending::not_finite.
    std::string const& message() const { return message_; }

    AnyModel<float> const& model() const { return model_; }
    AnyOptimizer& optimizer() { return optimizer_; }

    /// Goes on from elsewhere: parameters of the layout of parameters(), those of the best epoch
    /// (or empty), and the state that belongs to them. The optimizer's state is its own matter.
    void restore(ParameterArena<float> parameters, ParameterArena<float> best_parameters,
                 TrainingState state) noexcept {
        parameters_ = std::move(parameters);
        best_parameters_ = std::move(best_parameters);
        state_ = std::move(state);
    }

private:
    struct Silent {};

    static TrainingOptions valid(TrainingOptions options) {
        options.validate();
        return options;
    }

    // The batch becomes one of its rows: methods that ask for single samples may ask for more than it has.
    static void keep_row(Batch& batch, std::size_t sample) {
        auto const row = sample % batch.users.size();
        for (auto* ids : {&batch.users, &batch.positives, &batch.negatives})
            if (!ids->empty()) *ids = ids->subspan(row, 1);
    }

    static double now() {
        return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
            .count();
    }

    bool is_stopped_early() const { return state_.n_without_gain > options_.stopping_step; }

    double learning_rate(int epoch) const {
        return options_.learning_rate *
               std::pow(options_.decay_factor, static_cast<double>(epoch) / options_.decay_epochs);
    }

    void finish_epoch() {
        auto const n = static_cast<double>(sampler_.n_batches());
        EpochRecord record;
        record.epoch = state_.epoch;
        record.loss = state_.loss_sum / n;
        record.sharpness = state_.mean_sharpness();
        record.train_seconds = state_.seconds;
        if ((state_.epoch + 1) % options_.eval_step == 0) {
            auto const start = now();
            record.metrics = full_sort_(model_.representations(parameters_), options_.threads);
            record.evaluation_seconds = now() - start;
            compare_with_best(*record.metrics);
        }
        state_.epochs.push_back(std::move(record));
        ++state_.epoch;
        state_.batch = state_.sharpness_batches = 0;
        state_.loss_sum = state_.sharpness_sum = state_.seconds = 0;
    }

    void compare_with_best(FullSort::Result const& metrics) {
        double const value = round_to_4_decimals(metrics.valid[options_.valid_metric]);
        if (value > state_.best_value) {
            state_.best_value = value;
            state_.best_epoch = state_.epoch;
            state_.best = metrics;
            state_.n_without_gain = 0;
            best_parameters_ = parameters_;
        } else {
            ++state_.n_without_gain;
        }
    }

    AnyModel<float>& model_;
    AnyOptimizer& optimizer_;
    TrainingOptions options_;
    Sampler sampler_;
    FullSort full_sort_;
    ParameterArena<float> parameters_, best_parameters_;
    TrainingState state_;
    std::string message_;
};

}  // namespace polder::recsys
